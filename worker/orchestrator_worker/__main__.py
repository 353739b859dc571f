"""Entry of the child process: ``python -u -P …/__main__.py [PACKAGES] COMMANDS_FD REPLIES_FD LIFELINE_FD``.

Or ``… [PACKAGES] fork_server CHANNEL_FD [WIDE …]``: :mod:`orchestrator_worker.fork_server`, which forks workers.
Or ``… [PACKAGES] template CHANNEL_FD LIFELINE_FD``: :mod:`orchestrator_worker.template`, which loads a model before.
PACKAGES is the absolute path of the folder in which the parent has msgspec. A worker has a fourth descriptor,
PASSING_FD, where the system has sealed memory.

Started by path and never as ``python -m``, which would take a package of this name from the working directory
or from PYTHONPATH. For the same reason the package is loaded from the folder this file lies in, whatever
``sys.path`` says.

The protocol pipes come as extra descriptors and not as standard input and output, so that nothing that prints
before this file runs (a ``sitecustomize``, a ``.pth`` file) can reach them: descriptor 0 is the null device and
1 and 2 are the stderr pipe from the first instruction on.
"""

import importlib.util
import os
import sys
from typing import NoReturn


def _find_msgspec(packages: str) -> None:
    """Append the parent's folder of packages where msgspec is nowhere else: vendored ones, PYTHONPATH, ``-S``."""
    if importlib.util.find_spec("msgspec") is None:
        sys.path.append(packages)


def _load_own_package() -> None:
    folder = os.path.dirname(os.path.abspath(__file__))
    spec = importlib.util.spec_from_file_location(
        "orchestrator_worker", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["orchestrator_worker"] = package
    spec.loader.exec_module(package)


def main(arguments: list[str]) -> NoReturn:
    """Make the descriptors private, hold the lifeline, then serve until told to leave. Does not return."""
    if os.path.isabs(arguments[0]):
        _find_msgspec(arguments[0])
        arguments = arguments[1:]
    descriptors = [int(argument) for argument in arguments if argument.isdigit()]
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    _load_own_package()
    if arguments[0] == "fork_server":
        from orchestrator_worker import fork_server

        wide = [argument for argument in arguments if os.path.isabs(argument)]
        descriptors = [*fork_server.serve(*descriptors, wide=wide or None)]
    held = None
    if arguments[0] == "template":
        from orchestrator_worker import template

        (*descriptors,), held = template.serve(*descriptors)
    commands_fd, replies_fd, lifeline_fd, *passing_fd = descriptors
    from orchestrator_worker import lifeline

    lifeline.hold(lifeline_fd)
    from orchestrator_worker import loop

    loop.serve(commands_fd, replies_fd, lifeline_fd, *passing_fd, held=held)


if __name__ == "__main__":
    main(sys.argv[1:])
