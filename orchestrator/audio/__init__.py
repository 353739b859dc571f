"""Audio becomes 16 kHz mono before a worker sees it; the worker reads what the parent has vouched for.

Reading order: :mod:`.preparation` (in place, from the cache, or converted), :mod:`.wav_header` (what a WAV
file claims, and whether that is true), :mod:`.conversion` (decode, mix, resample, write), :mod:`.ffmpeg`
(for what soundfile cannot read).
"""

from orchestrator.audio.preparation import PreparedAudio, prepare

__all__ = ["PreparedAudio", "prepare"]
