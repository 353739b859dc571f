"""The drawings of the pages: each is a file of Python here, and the SVG that ``python docs/draw.py`` makes of it.

In reading order:

- ``canvas``: colours, style and shapes that all of them share, the README's picture too
- ``worker_and_parent``: which processes there are, and what goes between them
- ``life_of_a_worker``: its states, and the memory of a worker and its successor
- ``what_rss_is_made_of``: the parts of resident memory, and which of them a leak can hide in
- ``warm_starts``: what a load costs cold and warm, and what a fork shares
- ``located_leak``: where a public release leaks, from a recorded run
"""
