"""What follows from verdicts. Pure.

In reading order:

- ``calibration``: what a calibration found: known leaks, pools and caches against what was said of them
- ``job_growth``: how much one job may add, and how far the growth of many may stray
- ``levers``: what an experiment can do that a series cannot
- ``net_change``: what each model of a process leaves behind
- ``smallest_leak``: search the smallest rate that is found every time, by halving
- ``recycling``: plan recycling from a measured growth
- ``lever_words``: what the levers of ``levers`` have shown, in sentences. Pure
- ``start_options``: forked for every job, recycled cold, or trimmed: which one
- ``model_plan``: what is planned for the models of a run, in a form that files keep and every report shows
- ``net_change_words``: which model grows, and by load or by job, in sentences. Pure
"""
