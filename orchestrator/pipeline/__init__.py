"""Recordings in, text and word times out: the steps people do with a pool, in order.

Reading order: :mod:`.document` (what comes out), :mod:`.recording` (what goes in, cut into pieces when it is
long), :mod:`.steps` (what is done), :mod:`.pipeline` (one after the other, for one file or for many).
"""
