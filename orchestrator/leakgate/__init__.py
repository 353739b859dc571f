"""The pytest plugin ``leakgate``: a test that fails when a function leaks memory.

``plugin`` is what every pytest run imports, and imports nothing but pytest. The rest is imported by the first test
that uses the fixture: ``check`` decides, ``measuring`` runs the function in a worker, ``words`` says what was found.
"""
