"""The pytest plugin ``leakgate``: a test that fails when a function leaks memory.

In reading order: ``settings`` (options and their values), ``plugin`` (what every pytest run imports: pytest and
``settings``, nothing else). The first test that uses the fixture imports the rest: ``check`` decides, ``measuring``
runs the function in a worker, ``words`` says what was found.
"""
