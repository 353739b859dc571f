"""Confine this process before an engine's code and its model are loaded: Linux's Landlock and seccomp, by ctypes.

Once confined nobody comes out again, whatever the engine, the model file or the audio make the process do; what it
starts is confined like it. In reading order:

- ``kernel``: the system calls, and what this kernel can
- ``landlock``: which files may be read and written; in ``strict``, whom signals and connections reach
- ``seccomp``: which system calls a ``strict`` worker is refused
- ``readable``: what any Python needs to read
- ``confinement``: apply all of that, and say which refusal was ours
"""
