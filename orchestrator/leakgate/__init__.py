"""The pytest plugin ``leakgate``: a test that fails when a function leaks memory.

In reading order:

- ``call_session``: one worker that calls the function, and what is read of it between two blocks of calls
- ``result``: what a leak check says
- ``settings``: the settings of ``leak_check``
- ``modules``: do the worker and the test run mean the same modules?
- ``own_name``: a project that has an ``orchestrator.py`` of its own
- ``importable``: from a callable to the name by which another process finds it
- ``rounds``: how many calls, and when it is enough
- ``words``: what a leak check found, as the message of a failed test or of a report's section. Pure
- ``judging``: judge the readings of a round
- ``measuring``: call a function again and again in a worker of its own, and judge what the calls keep
- ``locating``: the call stacks that leak, as lines of a failed check's message
- ``check``: the fixture's value: from a callable to a passed, failed or skipped test
- ``plugin``: options, marker and fixture
"""
