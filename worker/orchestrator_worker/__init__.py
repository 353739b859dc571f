"""The child side: one process that holds at most one loaded model and does one job at a time.

In reading order:

- ``__main__``: entry of the child process
- ``fork_server``: a process that forks clean workers
- ``template``, ``fork_safety``: a process that forks workers with their model loaded; whether it may
- ``huge_pages``: so that a fork copies small page tables
- ``lifeline``: die with the parent, even while native code holds the GIL
- ``sandbox``: confine this process before an engine's code and its model are loaded
- ``results``: what an engine answers a job with
- ``protocol``: the messages between parent and worker: the one definition that both sides use
- ``framing``: the bytes of the wire
- ``language_names``: what models call languages, and which are written without blanks
- ``extension_codes``: the numbers of the extension types
- ``values``: values that msgpack has no form for, as extension types and back
- ``allocator``: the C allocator's own view of this process, and the request to give free memory back
- ``sharing``: descriptors and memory that parent and worker share
- ``audio``: read the 16 kHz mono PCM that the parent prepared. Standard library only
- ``exception_text``: an exception in words, whatever its class does when it is asked for them
- ``pipe``: the worker's end of the two pipes: commands come in, replies go out
- ``tracing``: a worker under a tracer: what lives when, by call stack, goes to files
- ``emitter``: what an engine calls while it runs
- ``whole_times``: times of an engine's words as the protocol has them
- ``loop``: receive a command, carry it out, reply: the whole life of a worker
"""

__version__ = "0.1.0"
