"""Audio becomes 16 kHz mono before a worker sees it; the worker reads what the parent has vouched for.

In reading order:

- ``preparation``: one audio file, made safe for a worker
- ``wav_header``: what a RIFF/WAVE file claims about itself, and where its sound really lies
- ``file_views``: a part of an open file as a file of its own, for files that were joined
- ``decoding``: an open file as streams of blocks, by soundfile
- ``ffmpeg``: let ffmpeg decode what soundfile cannot read (m4a, the sound of a video …), as a stream
- ``channels``: what is wrong with channels and scale, and what is done about it
- ``conversion``: mix to one channel, resample with soxr
- ``pcm_file``: the WAV file that workers read, of any length
- ``cache``: where converted copies lie: private, bounded, swept
- ``speech_spans``: where somebody speaks: from a detector's probability per frame to spans of speech. Pure
- ``voice_activity``: silero's voice activity detector on 16 kHz mono
- ``cutting``: a long recording cut into pieces where nobody speaks
"""

from orchestrator.audio.preparation import PreparedAudio, prepare, url_in, url_problem

__all__ = ["PreparedAudio", "prepare", "url_in", "url_problem"]
