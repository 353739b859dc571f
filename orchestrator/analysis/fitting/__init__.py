"""Robust fits and shape tests on one series of readings. Pure: arrays in, frozen results out.

In reading order:

- ``blocks``: long records in blocks
- ``distributions``: probabilities and quantiles of Student's t and the gamma distribution, by numpy alone
- ``mixture``: quantiles of a mixture of t distributions
- ``spikes``: take single outlying readings out of a series, leaving steps and slopes alone
- ``recurrence``: do steps go on coming? A pool that fills comes to rest, a leak of blocks does not
- ``warm_up``: find how many iterations at the start belong to warming up and not to the trend
- ``drift``: the drift of a level that wanders by itself
- ``jumps``: growth that comes in jumps: an arena, a pool block or a cached file at a time
- ``slope``: the slope of one series with an interval that stays honest under autocorrelated noise
- ``staircase``: fit a staircase: constant levels and the steps between them
- ``returns``: evidence that growth is no leak: it was given back, or it slows down
- ``cycles``: recognise a movement that repeats and take it out of the trend
- ``shapes``: weigh the shapes that growth can take: does what we saw go on, and how fast?
- ``resting``: the growth ahead, averaged over every shape
- ``tail_slope``: the slope at the end of a record, with everything in doubt about it in its interval
"""
