"""What parent and worker share besides the pipes: descriptors, and memory that no frame can hold.

- ``passing``: descriptors that they pass to each other over a socket
- ``shared_memory``: sealed memory, for values that no frame can hold
- ``large_result``: a result of a function that goes by both
"""
