"""The parent's part of a worker's sandbox: what its models need, a folder of its own.

The worker confines itself (:mod:`orchestrator_worker.sandbox`). In reading order:

- ``modes``: what a model's workers are confined to where nobody has said it
- ``rules``: what a worker with certain models may read and write
- ``removal``: remove what a worker left, whatever it is, and hold nobody up with it
- ``own_folder``: the folder of one confined worker
- ``worker_sandbox``: what the parent keeps for one confined worker
"""
