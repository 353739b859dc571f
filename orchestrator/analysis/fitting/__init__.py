"""Robust fits and shape tests on one series of readings. Pure: arrays in, frozen results out.

In reading order: ``warm_up``, ``spikes`` (what is left out), ``slope``, ``tail_slope`` (rates with
intervals), ``jumps``, ``staircase``, ``recurrence`` (growth by steps), ``cycles`` (growth that comes back),
``shapes`` (competing curves).
"""
