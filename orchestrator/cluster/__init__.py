"""The pool past one machine: :class:`~orchestrator.cluster.ray_pool.RayPool`. ``docs/scaling.md`` says when to take it.

In reading order:

- ``state``: the state of all jobs and nodes, kept by the driver
- ``event_loop``: one thread that does what is posted to it, and what is due by the clock
- ``routing``: which node gets a job, and how much a node gets ahead of time
- ``wire``: what crosses between the driver and a node, and how our errors do
- ``own_cluster``: the Ray cluster that a ``RayPool`` has to start itself
- ``losses``: what a node's loss means: for its jobs, and for the node itself. Decides; moves nothing
- ``metrics``: how the jobs of a cluster pool ended, and how long they waited and took
- ``node_actor``: the side of a node: an actor with a pool inside
- ``ray_library``: imports Ray, when ``RayPool`` is first named and not before
- ``dispatcher``: the one thread of a cluster pool that decides
- ``node_link``: the side of the driver, for one node
- ``cluster_stats``: all nodes of a cluster in one view
- ``controller``: what a ``RayPool`` is made of, started and ended together
- ``ray_pool``: ``RayPool``, with the interface of ``Pool``
"""
