"""experiments.toml → typed frozen objects: :mod:`.types` says what there is, :mod:`.load` reads a file.

In reading order:

- ``wording``: how a configuration problem says what it found, where, and what was probably meant
- ``sizes``: memory sizes as people write them
- ``engine_names``: which engine names an experiments.toml may use
- ``template``: what ``orchestrator init`` puts into a folder
- ``lenient``: a decoded document, read as far as it makes sense
- ``model``: the class `Model`, for experiments and pools alike
- ``method_checks``: which methods an experiment can run under, for every profile and variant of a document
- ``fields``: what single values look like
- ``recycle_table``: the table ``[recycle]``
- ``serve_table``: the table ``[serve]``
- ``types``: what an experiments.toml may say, as frozen types
- ``checks``: what is wrong with the meaning of a document
- ``schema``: the JSON Schema of experiments.toml, made from the types, for editors and other tools
- ``walk``: everything that is wrong with the shape of a document, at once
- ``overrides``: what is said outside the file: flags of the command line, and environment variables
- ``profile``: which profile a run takes, and one sentence that says why
- ``load``: from a file on disk to a checked ``ExperimentsFile``, or to all that is wrong with it
- ``bindings``: a profile's models and samples, with everything looked up
- ``resolve``: from a checked file and what is said outside it to the plan of a run
"""
