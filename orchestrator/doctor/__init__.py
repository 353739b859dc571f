"""What is there and what is missing on this machine, for each profile; each problem with what mends it.

:mod:`.examination` puts it together, one module a kind of thing looks, :mod:`.finding` is what they all say.
Nothing native is loaded into this process, and nothing is changed.
"""

from __future__ import annotations

from orchestrator.doctor.examination import Examination, ProfileExamination, examine
from orchestrator.doctor.finding import Finding

__all__ = ["Examination", "Finding", "ProfileExamination", "examine"]
