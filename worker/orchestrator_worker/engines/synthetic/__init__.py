"""The engine `synthetic`: leaks, pools and faults on demand.

In reading order: ``options``, ``shapes``, ``blocks``, ``memory``, ``faults``, ``engine``.
"""
