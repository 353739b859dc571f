"""From measured growth to a recycling plan.

In reading order:

- ``own_growth``: a model's own part of a growth, from the net changes of a summary
- ``worker_figures``: what a plan reckons with, read from results
- ``warm_figures``: the same of workers that are forked from a template
- ``plan_advice``: what a plan says beside its numbers
- ``start_choice``: a fork for every job, recycling, or trims
- ``recycle_plan``: from the results of a run to a plan per model
"""
