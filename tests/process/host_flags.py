"""What a worker of the tests in test_host_process.py says about its interpreter."""

import os
import sys
import warnings


def facts() -> dict[str, object]:
    flags = {name: int(getattr(sys.flags, name)) for name in dir(sys.flags) if _is_number(name)}
    return {
        **flags,
        "warnoptions": list(sys.warnoptions),
        "xoptions": {name: str(value) for name, value in sys._xoptions.items()},
        "asserts": _asserts(),
        "warning": _warning(),
        "pythonpath": os.environ.get("PYTHONPATH", ""),
        "executable": sys.executable,
    }


def _is_number(name: str) -> bool:
    return not name.startswith(("_", "n_")) and isinstance(getattr(sys.flags, name), int)


def _asserts() -> bool:
    try:
        assert False  # noqa: B011, PT015
    except AssertionError:
        return True
    return False


def _warning() -> str:
    try:
        warnings.warn("told", UserWarning, stacklevel=1)
    except UserWarning:
        return "raised"
    return "passed"
