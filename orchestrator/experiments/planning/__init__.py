"""From measured growth to a recycling plan.

In reading order:

- ``own_growth``: a model's own part of a growth, from the net changes of a summary
- ``worker_figures``: what a plan reckons with, read from results
- ``plan_advice``: what a plan says beside its numbers
- ``recycle_plan``: from the results of a run to a plan per model
"""
