"""A process of known memory, told what to do line by line; it answers each line when it is done."""

import mmap
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

MB = 1024 * 1024


class Contents:
    """What the process holds, by kind, newest last."""

    def __init__(self) -> None:
        self.blocks: list[mmap.mmap] = []
        self.descriptors: list[int] = []
        self.children: list[subprocess.Popen[str]] = []
        self.release = threading.Event()

    def allocate(self, size_bytes: int) -> None:
        block = mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        block[:: mmap.PAGESIZE] = b"x" * len(range(0, size_bytes, mmap.PAGESIZE))
        self.blocks.append(block)

    def share(self, size_bytes: int) -> None:
        block = mmap.mmap(-1, size_bytes)
        block[:: mmap.PAGESIZE] = b"x" * len(range(0, size_bytes, mmap.PAGESIZE))
        self.blocks.append(block)

    def memfd(self, size_bytes: int) -> None:
        descriptor = os.memfd_create("kept")
        os.ftruncate(descriptor, size_bytes)
        block = mmap.mmap(descriptor, size_bytes)
        os.close(descriptor)
        block[:: mmap.PAGESIZE] = b"x" * len(range(0, size_bytes, mmap.PAGESIZE))
        self.blocks.append(block)

    def map_file(self, size_bytes: int) -> None:
        with tempfile.TemporaryFile(dir=Path(__file__).parent) as file:
            file.write(b"x" * size_bytes)
            file.flush()
            block = mmap.mmap(file.fileno(), size_bytes, prot=mmap.PROT_READ)
        assert sum(block[:: mmap.PAGESIZE]) > 0
        self.blocks.append(block)

    def free(self, count: int) -> None:
        for _ in range(count):
            self.blocks.pop().close()

    def flash(self, hold_ms: int) -> None:
        """Hold 64 MB for so long and give it back."""
        self.allocate(64 * MB)
        self.release.wait(hold_ms / 1000)
        self.free(1)

    def threads(self, count: int) -> None:
        for _ in range(count):
            threading.Thread(target=self.release.wait, daemon=True).start()

    def open(self, count: int) -> None:
        self.descriptors += [os.open(os.devnull, os.O_RDONLY) for _ in range(count)]

    def child(self, size_bytes: int) -> int:
        """Start a child of this kind and let it allocate; from a thread, so that all must be asked."""
        found: list[int] = []

        def start() -> None:
            child = subprocess.Popen(
                [sys.executable, "-S", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            self.children.append(child)
            found.append(self.tell(child, f"allocate {size_bytes}"))
            self.release.wait()

        threading.Thread(target=start, daemon=True).start()
        while not found:
            self.release.wait(0.001)
        return self.children[-1].pid

    def grandchild(self, size_bytes: int) -> int:
        return self.tell(self.children[-1], f"child {size_bytes}")

    def tell(self, child: "subprocess.Popen[str]", line: str) -> int:
        assert child.stdin is not None
        assert child.stdout is not None
        print(line, file=child.stdin, flush=True)
        return int(child.stdout.readline())

    def bury(self, _: int) -> None:
        while self.children:
            child = self.children.pop()
            child.kill()
            child.communicate()


def main() -> None:
    contents = Contents()
    for line in sys.stdin:
        verb, number = line.split()
        print(getattr(contents, verb)(int(number)) or 0, flush=True)
    contents.bury(0)


if __name__ == "__main__":
    assert Path(__file__).exists()
    main()
