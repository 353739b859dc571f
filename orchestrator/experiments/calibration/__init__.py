"""Calibrate: known leaks, pools and caches through the whole chain, and the smallest leak this machine finds.

``cases`` says what is run, ``bench`` runs it, ``calibrate`` makes a calibration of it, ``stored`` keeps it beside
the results and says whether it fits a run. Nothing is imported here: a run's manifest needs ``stored`` alone.
"""
