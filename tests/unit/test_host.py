"""Facts of the host, from this machine and from made-up ones."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.experiments.storage import host
from orchestrator.experiments.storage.host import allocator_environment, host_facts, package_versions
from orchestrator.process.cgroup import CgroupLimits, cgroup_limits

GIB = 1024**3


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def test_this_machine() -> None:
    facts = host_facts()
    assert facts["kernel"] == platform.release()
    assert facts["cores"] >= 1
    assert facts["memory_total_bytes"] > 64 * 1024**2
    assert facts["python"] == platform.python_version()
    assert json.loads(json.dumps(facts)) == facts


def test_the_name_of_the_host_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: pytest.fail("asked for the host's name"))
    assert not {"hostname", "node"} & set(host_facts(tmp_path))


def test_a_system_that_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))

    def no_load() -> Any:
        raise OSError

    monkeypatch.setattr(host.os, "getloadavg", no_load)
    facts = host_facts(tmp_path)
    untold = {name for name, value in facts.items() if value is None}
    assert untold == {
        *("cpu_model", "cpu_governor", "load_average", "libc", "transparent_hugepages"),
        *("memory_total_bytes", "memory_available_bytes", "swap_total_bytes", "swap_free_bytes"),
        *("cgroup_cpus", "cgroup_memory_bytes"),
    }


def test_a_system_that_tells_all(tmp_path: Path) -> None:
    files = {
        "proc/cpuinfo": "processor\t: 0\nmodel name\t: Fast CPU 3000\n",
        "proc/meminfo": "MemTotal:  1024 kB\nMemAvailable: 512 kB\nSwapTotal: 256 kB\nSwapFree: 0 kB\n",
        "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
    }
    facts = host_facts(tree(tmp_path, files))
    assert facts["cpu_model"] == "Fast CPU 3000"
    assert facts["memory_total_bytes"] == 1024**2
    assert facts["memory_available_bytes"] == 512 * 1024
    assert facts["swap_total_bytes"] == 256 * 1024
    assert facts["swap_free_bytes"] == 0
    assert facts["transparent_hugepages"] == "madvise"
    assert facts["cpu_governor"] == "powersave"


def test_only_what_touches_memory_or_threads_is_kept_of_the_environment() -> None:
    kept = {
        "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0",
        "LD_PRELOAD": "/usr/lib/libjemalloc.so.2",
        "MALLOC_ARENA_MAX": "1",
        "OMP_NUM_THREADS": "2",
        "PYTHONMALLOC": "malloc",
    }
    others = {"HOME": "/home/somebody", "API_TOKEN": "secret", "XMALLOC_": "1", "LD_PRELOADED": "1"}
    assert allocator_environment({**others, **kept}) == kept
    assert list(allocator_environment({**others, **kept})) == sorted(kept)


def test_versions_of_packages() -> None:
    versions = package_versions()
    assert versions["msgspec"] == importlib.metadata.version("msgspec")
    assert set(versions) >= {"moonshine-voice", "pocketsphinx", "numpy", "soxr"}


def test_a_package_that_is_not_installed_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "OTHER_PACKAGES", ("no-such-package-of-anybody",))
    assert package_versions()["no-such-package-of-anybody"] is None


def test_engines_of_third_parties_count(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        SimpleNamespace(dist=SimpleNamespace(name="their-engine", version="3.2")),
        SimpleNamespace(dist=SimpleNamespace(name="orchestrator", version="0.1")),
        SimpleNamespace(dist=None),
    ]
    monkeypatch.setattr(
        host.importlib.metadata, "entry_points", lambda *, group: found if group == host.ENGINE_GROUP else []
    )
    assert host.engine_packages()["their-engine"] == "3.2"
    assert "orchestrator" not in host.engine_packages()


# ------------------------------------------------------------------ control groups

V2_MOUNT = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNTS = (
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
)


def test_version_2_the_smallest_on_the_way_up_holds(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/user.slice/job\n",
        "proc/self/mountinfo": V2_MOUNT,
        "sys/fs/cgroup/user.slice/job/memory.max": "max\n",
        "sys/fs/cgroup/user.slice/job/cpu.max": "150000 100000\n",
        "sys/fs/cgroup/user.slice/memory.max": f"{2 * GIB}\n",
        "sys/fs/cgroup/user.slice/cpu.max": "max 100000\n",
        "sys/fs/cgroup/cpu.max": "400000 100000\n",
        "sys/fs/memory.max": "1\n",  # above the mount: not a group
    }
    assert cgroup_limits(tree(tmp_path, files)) == CgroupLimits(2 * GIB, 1.5)


def test_version_2_in_a_container(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/docker/abc\n",
        "proc/self/mountinfo": V2_MOUNT.replace(" / /sys", " /docker/abc /sys"),
        "sys/fs/cgroup/memory.max": f"{GIB}\n",
        "sys/fs/cgroup/cpu.max": "50000 100000\n",
    }
    assert cgroup_limits(tree(tmp_path, files)) == CgroupLimits(GIB, 0.5)


def test_version_1(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "5:memory:/job\n3:cpu,cpuacct:/job\n1:name=systemd:/job\n",
        "proc/self/mountinfo": V1_MOUNTS,
        "sys/fs/cgroup/memory/job/memory.limit_in_bytes": f"{GIB}\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": "200000\n",
        "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "100000\n",
    }
    assert cgroup_limits(tree(tmp_path, files)) == CgroupLimits(GIB, 2.0)


def test_version_1_without_limits(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "5:memory:/\n3:cpu,cpuacct:/\n0::/\n",
        "proc/self/mountinfo": V1_MOUNTS + V2_MOUNT.replace("/sys/fs/cgroup", "/sys/fs/cgroup/unified"),
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    }
    assert cgroup_limits(tree(tmp_path, files)) == CgroupLimits(None, None)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "0::/\n"},
        {"proc/self/cgroup": "garbage\n\n::\n", "proc/self/mountinfo": "garbage\n - \n - cgroup2 a b\n"},
        {
            "proc/self/cgroup": "0::/\n",
            "proc/self/mountinfo": V2_MOUNT,
            "sys/fs/cgroup/cpu.max": "1 0\n",
            "sys/fs/cgroup/memory.max": "lots\n",
        },
    ],
)
def test_what_cannot_be_understood_is_no_limit(tmp_path: Path, files: dict[str, str]) -> None:
    assert cgroup_limits(tree(tmp_path, files)) == CgroupLimits(None, None)
