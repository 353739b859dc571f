"""The end of a run: its last screen, and the same for CI. Pure: summaries in, lines out.

In reading order: ``sparkline`` (a row of readings as eight blocks), ``rows`` (one row a method: verdict and one
number), ``what_to_do`` (plan, command that locates, what would settle, what is missing), ``last_screen`` (all of it
at a width), ``github`` (the same as Markdown and as annotations).
"""
