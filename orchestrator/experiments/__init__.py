"""Experiments: a plan becomes iterations, iterations become records, records become results.

Reading order: :mod:`.records` (what is kept), :mod:`.stage` (one worker and its boundaries), :mod:`.methods` (the
four ways to treat a model), :mod:`.series` (one method from first to last iteration), :mod:`.runner` (a whole run).
"""
