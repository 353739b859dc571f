"""Warm starts: workers that are forked from a template, which has their model loaded.

- ``templates``: when a template is started, replaced and given up
"""
