"""Let ffmpeg decode what soundfile cannot read (m4a, the sound of a video …)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from orchestrator.errors import AudioError

TIMEOUT_S = 600.0
INSTALL_REMEDY = "install ffmpeg (Debian, Ubuntu: apt-get install ffmpeg) or convert it to WAV"


def decode_with_ffmpeg(
    shown_path: str, descriptor: int, target: Path, problem: str, *, timeout_s: float = TIMEOUT_S
) -> None:
    """Decode the first audio stream of the open file ``descriptor`` into ``target``, a WAV of 32-bit floats.

    ffmpeg gets the descriptor and never the user's path, no terminal, no shell and no network; its output
    goes to ``target`` alone, in a folder of ours. ``problem`` is what soundfile said.

    Raises:
        AudioError: No ffmpeg on PATH, it cannot read the file either, or it took longer than ``timeout_s``.
    """
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise AudioError(shown_path, problem, f"if it is audio of another kind, {INSTALL_REMEDY}")
    command = [ffmpeg, "-nostdin", "-hide_banner", "-v", "error", "-protocol_whitelist", "file,pipe"]
    command += ["-i", f"file:/dev/fd/{descriptor}"]
    command += ["-map", "0:a:0", "-c:a", "pcm_f32le", "-rf64", "auto", "-f", "wav", "-y", f"file:{target}"]
    os.lseek(descriptor, 0, os.SEEK_SET)
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            pass_fds=(descriptor,),
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        hint = "convert it to WAV yourself, or cut it into pieces"
        raise AudioError(shown_path, f"ffmpeg did not decode it within {timeout_s:g} s", hint) from None
    except OSError as error:
        raise AudioError(shown_path, f"{problem}; {ffmpeg} does not start: {error.strerror}") from error
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        if any("matches no streams" in line for line in lines):
            raise AudioError(shown_path, "there is no sound in it", "give a file with sound")
        said = lines[-1].replace(f"file:/dev/fd/{descriptor}", "it") if lines else "no reason given"
        raise AudioError(
            shown_path, f"{problem}; ffmpeg cannot read it either ({said})", "give a file with sound"
        )
