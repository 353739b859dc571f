"""Workers that are forked with their model loaded: the host's side.

In reading order:

- ``engines``: which models are started warm
- ``template``: the process that loads a model and forks workers
- ``own_groups``: a process group for each worker of a strict template, and for nobody else
- ``stuck``: whether a process waits for a lock that nobody will release
- ``private_memory``: what a worker holds besides the pages that it shares with its template
"""
