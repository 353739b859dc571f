"""The engine `chatllm`: libchatllm through ctypes.

In reading order: ``options``, ``library`` (the C interface), ``audio``, ``output`` (what it prints, parsed),
``engine``.
"""
