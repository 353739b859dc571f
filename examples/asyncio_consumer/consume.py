"""An asyncio consumer: takes recordings from a queue, transcribes them, hands the text on.

python consume.py samples/*.wav
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

from orchestrator import AsyncPool, Recycle, Transcribe
from orchestrator.pool.models import Model


async def consume(
    recordings: asyncio.Queue[str | None], *, model: str = "asr-small", **pool_options: object
) -> AsyncIterator[tuple[str, str]]:
    """Yield (recording, text) in the order of the queue until it gives None; an error is its text.

    The pool takes only so many jobs at a time, so a queue that fills faster than the models work waits in the
    queue, not in memory.
    """
    names: list[str] = []

    async def jobs() -> AsyncIterator[Transcribe]:
        while (recording := await recordings.get()) is not None:
            names.append(recording)
            yield Transcribe(model, recording)

    async with AsyncPool(**pool_options) as pool:  # type: ignore[arg-type]
        async for result in pool.map(jobs(), errors="return"):
            yield names.pop(0), str(result) if isinstance(result, Exception) else result.text


async def main(paths: list[str]) -> None:
    """Transcribe files with the model that pip brings."""
    recordings: asyncio.Queue[str | None] = asyncio.Queue()
    for path in [*paths, None]:
        recordings.put_nowait(path)
    models = [Model(name="asr-small", engine="moonshine")]
    async for name, text in consume(recordings, models=models, workers=2, recycle=Recycle(max_jobs=100)):
        print(f"{name}: {text}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
