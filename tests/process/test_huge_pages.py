"""Large memory is moved into huge pages, and nothing else is: in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

MIB = 1 << 20
MOVED = """
import json, mmap, sys
sys.path[:0] = json.loads(sys.argv[1])
from orchestrator_worker import huge_pages

def filled(size, every=1, **kind):
    memory = mmap.mmap(-1, size, **(kind or {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS}))
    for at in range(0, size, mmap.PAGESIZE * every):
        memory[at] = at >> 12 & 255
    return memory

def rss():
    return int(open("/proc/self/statm").read().split()[1]) * mmap.PAGESIZE

def right(memory, every=1):
    return all(memory[at] == at >> 12 & 255 for at in range(0, len(memory), mmap.PAGESIZE * every))

MIB = 1 << 20
full = filled(64 * MIB)
nothing, moved = huge_pages.collapse(-1.0), huge_pages.collapse(60.0)
# Afterwards: neighbours become one mapping.
holes, shared = filled(128 * MIB, every=4), filled(64 * MIB, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
before = rss()
huge_pages.collapse(60.0)
print(json.dumps([nothing, moved, rss() - before, right(full), right(holes, 4), right(shared)]))
"""


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="there is no /proc/self/smaps")
def test_only_what_is_filled_and_private_is_moved_and_keeps_what_is_in_it(tmp_path: Path) -> None:
    script = tmp_path / "moved.py"
    script.write_text(MOVED)
    done = subprocess.run(
        [sys.executable, str(script), json.dumps(sys.path)], capture_output=True, text=True, check=True
    )
    nothing, moved, grown, *right = json.loads(done.stdout)
    assert right == [True] * 3
    assert nothing == 0
    assert grown < 16 * MIB, "holes were filled"
    if not moved:
        pytest.skip("this kernel moves nothing into huge pages (Linux 6.1 and newer do)")
    assert moved <= 66 * MIB
