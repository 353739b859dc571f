"""From a plan to recorded iterations.

In reading order:

- ``runner``: one experiment after the other
- ``estimate``: how long a plan will take
- ``destroy_trials``: whether a library lives through a destroy, found out in a process of its own
- ``availability``, ``how_to_get``, ``allocators``: what cannot run here, and how to change that
- ``series``: one method, iteration by iteration; ``methods``: what each method does in an iteration
- ``step_texts``: the texts of an iteration's steps, and the languages their models are started for
- ``stage``: one worker and its readings; ``draft``: an iteration while it is being recorded
- ``stopping``: whether the verdict is settled; ``transcripts``: word errors
- ``observer``: what a display is told
"""
