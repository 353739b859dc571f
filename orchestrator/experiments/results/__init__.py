"""The result files: one JSON file per experiment.

In reading order: ``results_config``, ``results_iterations`` (parts of the file), ``results_file`` (the file),
``run_results`` (all files of a run).
"""
