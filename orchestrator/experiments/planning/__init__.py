"""From measured growth to a recycling plan.

In reading order: ``worker_figures`` (what a run says about one worker), ``recycle_plan`` (the plan),
``plan_advice`` (what to do).
"""
