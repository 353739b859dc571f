"""What a run keeps on disk, and how it is read again.

In reading order:

- ``records``: one iteration as it is written
- ``entry_log``: the file of iterations, one JSON object a line
- ``run_files``, ``run_folder``: the names of the files, and the folder of one run
- ``manifest``, ``host``, ``file_hashes``, ``model_sizes``: what ran, where, on which files
- ``sample_state``: the state recorded with each sample
- ``stored_calibration``: the last calibration of this machine
- ``stored_located``: where the leaks of a run are
- ``output_files``: outputs that users name, kept apart from all of these
- ``upgrades``: files of older schemas
"""
