"""Calibrate: known leaks, pools and caches through the whole chain, and the smallest leak this machine finds.

``cases`` says what is run, ``bench`` runs it, ``calibrate`` makes a calibration of it, ``stored`` keeps it beside
the results and says whether it fits a run.
"""

from orchestrator.experiments.calibration.calibrate import Effort, calibrate
from orchestrator.experiments.calibration.stored import (
    CALIBRATION_NAME,
    CalibrationStamp,
    doubts,
    read_calibration,
    stamp_of,
    write_calibration,
)

__all__ = [
    "CALIBRATION_NAME",
    "CalibrationStamp",
    "Effort",
    "calibrate",
    "doubts",
    "read_calibration",
    "stamp_of",
    "write_calibration",
]
