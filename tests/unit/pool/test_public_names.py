"""The names that people import."""

import subprocess
import sys

import orchestrator


def test_every_public_name_can_be_imported() -> None:
    for name in orchestrator.__all__:
        assert getattr(orchestrator, name) is not None
    assert set(orchestrator._HOME_OF) | {"__version__"} == set(orchestrator.__all__)
    assert orchestrator.__all__ == sorted(orchestrator.__all__)


def test_importing_the_package_or_the_pool_brings_nothing_heavy() -> None:
    program = (
        "import sys, orchestrator; orchestrator.Pool; "
        "print(*(name in sys.modules for name in ('numpy', 'asyncio', 'orchestrator.config.load')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "False"]
