"""Audio becomes 16 kHz mono before a worker sees it; the worker reads what the parent has vouched for.

In reading order:

- ``conversion``: decode with soundfile, mix to one channel, resample with soxr, write 16-bit WAV
- ``speech_spans``: where somebody speaks: from a detector's probability per frame to spans of speech. Pure
- ``ffmpeg``: let ffmpeg decode what soundfile cannot read (m4a, the sound of a video …)
- ``wav_header``: what a RIFF/WAVE file claims about itself, and whether the file holds it
- ``voice_activity``: silero's voice activity detector on 16 kHz mono
- ``cutting``: a long recording cut into pieces where nobody speaks
- ``preparation``: one audio file, made safe for a worker
"""

from orchestrator.audio.preparation import PreparedAudio, prepare

__all__ = ["PreparedAudio", "prepare"]
