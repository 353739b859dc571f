"""The test's end of ``memory_child.py``."""

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self


class MemoryChild:
    """A process whose memory the test decides. Leaving the block ends it, with everything it started."""

    def __init__(self) -> None:
        program = Path(__file__).with_name("memory_child.py")
        self.process = subprocess.Popen(
            [sys.executable, "-S", str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self.process.pid
        self.tell("allocate", 4096)  # everything it will need is imported and warm from here on
        self.tell("free", 1)

    def tell(self, verb: str, number: int) -> int:
        """Have it do something; return its answer when that is done."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(verb, number, file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    def kill(self) -> None:
        """Kill it and leave it a zombie."""
        self.process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.process.communicate(timeout=30)  # its end of input: it ends its children and leaves
        finally:
            self.process.kill()
            self.process.wait()
