"""Run native speech engines in worker processes, measure their memory from outside, tell a leak from a pool."""

from worker import __version__

__all__ = ["__version__"]
