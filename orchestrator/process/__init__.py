"""Start, speak to, watch and end worker processes. No policy: who runs what is decided above.

In reading order:

- ``cgroup``: the control groups of this process and the limits they put on it
- ``uninterrupted``: locks and descriptors that an interrupt cannot leave behind
- ``memory``: the memory of another process, read from outside, in full
- ``exit_status``: the words for an exit status, as results, logs and errors use them
- ``engine_environment``: the environment that an engine's worker should start with
- ``start_language``: for which language a model must be started, where its engine reads it then
- ``fork_server``: the host's side of a fork server (``fork_server``)
- ``stderr_tail``: keep the last of what a worker printed
- ``orphans``: how a process ended whose parent died before it could say so
- ``offspring``: a started worker as the system sees it
- ``sampling``: the memory of other processes, read at a fixed pace
- ``sharing``: descriptors and memory that parent and worker share
- ``result_values``: what a worker sent as a job's result, made into a value
- ``pulse``: whether a process has run lately
- ``sandbox``: the parent's part of a worker's sandbox
- ``warm``: workers that are forked with their model loaded: the host's side
- ``spawn``: start a worker process with its pipes
- ``loaded_template``: a template that somebody waits for
- ``resources``: what a process holds besides memory
- ``worker_process``: one worker process as the parent sees it
- ``dialogue``: ask a worker and wait for its answer: the blocking way to drive one worker process
"""
