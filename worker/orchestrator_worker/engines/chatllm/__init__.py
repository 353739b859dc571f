"""The engine `chatllm`: libchatllm through ctypes.

In reading order: ``options``, ``library`` (the C interface), ``audio``, ``output`` (what it prints, parsed),
``windows`` (what the aligner's context holds), ``sources`` (where weights come from), ``engine``.
"""
