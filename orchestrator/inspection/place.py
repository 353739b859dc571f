"""The folder of the sockets: one per user, which no other user can enter.

``$XDG_RUNTIME_DIR/orchestrator``, or ``/tmp/orchestrator-UID`` where there is none. A folder of somebody else, or one
that others can enter, is refused: whoever made it could have put anything there.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from orchestrator.errors import ResultsError

ENDING = ".sock"


def socket_folder(*, make: bool = False) -> Path:
    """Return the folder of this user's sockets; ``make`` creates it if it does not exist.

    Raises:
        ResultsError: It cannot be made, or is not ours alone.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = (
        Path(runtime) / "orchestrator"
        if runtime and Path(runtime).is_dir()
        else Path(tempfile.gettempdir()) / f"orchestrator-{os.getuid()}"
    )
    try:
        if make:
            folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except FileNotFoundError:
        return folder
    except OSError as error:
        raise ResultsError(
            f"{folder}: {error.strerror or error}; set XDG_RUNTIME_DIR to a folder of yours"
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ResultsError(f"{folder} is not a folder of yours alone (mode 700); move it away")
    return folder


def free_path(folder: Path) -> Path:
    """Return the path for a new socket of this process."""
    number = 0
    while True:
        path = folder / f"{os.getpid()}{f'-{number}' if number else ''}{ENDING}"
        if not path.exists():
            return path
        number += 1
