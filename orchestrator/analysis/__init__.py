"""Judge memory series: arrays in, frozen results out; no file, clock or process is touched here."""

from orchestrator.analysis.slope import SlopeEstimate, robust_slope

__all__ = ["SlopeEstimate", "robust_slope"]
