"""Reports: what was measured, as text for people.

Reading order: :mod:`.shape` (which of the original study's tables fit an experiment), :mod:`.names` (what columns and
rows are called), :mod:`.cells` (how numbers read), :mod:`.layout` (ruled tables), then the tables.
Everything here is pure: summaries in, lines out; the command line prints them.
"""
