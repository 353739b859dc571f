"""What parent and worker share beside their pipes: descriptors over a socket, and memory by them.

In reading order:

- ``own_memory``: sealed memory that is the host's, for audio and arguments
- ``channel``: the parent's end of the socket by which descriptors are passed
- ``shared_result``: a result that came in shared memory, checked and read
- ``pieces``: a packed value made into objects, piece by piece
- ``shared_value``: a value in shared memory made into objects
"""
