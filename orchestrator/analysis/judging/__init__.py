"""From series of readings to a verdict. Pure.

In reading order: ``memory_series`` (what is judged), ``tolerance``, ``decision`` (the rules for
one channel), ``channel`` (one channel judged), ``verdict`` (all channels), ``composition`` (what growth is
made of), ``counts`` (descriptors and threads), ``baseline``, ``difference`` (against fresh processes),
``settled`` (may a run stop early), ``judged``, ``judgement`` (what files keep of it).
"""
