"""From series of readings to a verdict. Pure.

In reading order:

- ``memory_series``, ``pace``, ``spacing``: what is judged, and how far apart its readings are
- ``tolerance``: which growth is accepted
- ``channel_verdict``, ``evidence``, ``decision``, ``at_rest``, ``unsettled``: the rules for one channel
- ``channel``: one channel judged
- ``reasons``: why, as facts with their words
- ``verdict``, ``composition``: all channels together; what the growth is made of
- ``counts``: descriptors and threads
- ``baseline``, ``difference``: against fresh processes
- ``settled``: may a run stop early?
- ``judged``, ``judgement``: what files and reports keep of a verdict
- ``judged_readings``: all of this for one series, each channel fitted once
"""
