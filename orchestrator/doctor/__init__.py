"""Check what each profile needs on this machine, and report what is missing and how to fix it.

:mod:`.examination` puts it together, one module a kind of thing looks, :mod:`.finding` is what they all say.
Nothing native is loaded into this process, and nothing is changed.

In reading order:

- ``elf_symbols``: which functions a shared library offers, and for which processor, read from its file
- ``finding``: one thing looked at: what it is, how it is, and what to do about it
- ``engines``: which engines can be imported, and what the others need
- ``machine``: the machine: cores against threads, memory against models, swap, and the C library
- ``model_files``: model files: are they there, how large are they, and what is their hash?
- ``native_library``: whether ``libchatllm`` is there, for this processor and with its functions
- ``results_place``: the results folder: may we write there, and is there room?
- ``sample_files``: whether the recordings and their references are there
- ``tools``: programs on the PATH: ffmpeg, and what builds a native library
- ``examination``: put the findings together
"""

from __future__ import annotations

from orchestrator.doctor.examination import Examination, ProfileExamination, examine
from orchestrator.doctor.finding import Finding

__all__ = ["Examination", "Finding", "ProfileExamination", "examine"]
