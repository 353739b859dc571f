"""Judge memory series: arrays in, frozen results out; no file, clock or process is touched here."""

from orchestrator.analysis.channel import ChannelVerdict, judge_channel
from orchestrator.analysis.composition import Composition
from orchestrator.analysis.slope import SlopeEstimate, robust_slope
from orchestrator.analysis.verdict import Verdict, judge

__all__ = ["ChannelVerdict", "Composition", "SlopeEstimate", "Verdict", "judge", "judge_channel", "robust_slope"]
