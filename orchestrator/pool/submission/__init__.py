"""From a caller's job to an event for the supervisor.

In reading order:

- ``controller``: what Pool, AsyncPool and PoolExecutor share
- ``checked_options``: options made into settings
- ``payload``, ``arguments``, ``audio_input``: a job turned into what the worker gets
- ``language_models``: which instance of a model gets it, where engines are started for a language
- ``model_configuration``: models taken from experiments.toml
- ``asyncio_bridge``: replies handed to an event loop
- ``inspection_view``: the view of a running pool that `orchestrator top` shows
"""
