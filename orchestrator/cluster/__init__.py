"""The pool past one machine: :class:`~orchestrator.cluster.ray_pool.RayPool`. ``docs/scaling.md`` says when to take it.

Reading order: wire (what crosses), routing (which node, pure), state (jobs and nodes), dispatcher (the one thread that
decides), node_link (the driver's side of a node), node_actor (the node's side), ray_pool (the door).
Ray is imported when ``RayPool`` is first named, not before.
"""
