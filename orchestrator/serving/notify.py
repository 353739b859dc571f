"""systemd's readiness protocol, sd_notify(3): a datagram to the socket that NOTIFY_SOCKET names.

A service of ``Type=notify`` says when it is ready, when it reads its configuration and when it stops. With
``WatchdogSec=`` it must also say again and again that it is alive; what no longer does is restarted.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

SOCKET_VARIABLE = "NOTIFY_SOCKET"


class Notifier:
    """Says what systemd waits for; without a socket it says nothing."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        name = environ.get(SOCKET_VARIABLE, "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        self.watchdog_s = _watchdog_s(environ)
        """Within so many seconds it must hear from us again; None: it does not watch."""

    def ready(self) -> None:
        """Say that requests are welcome."""
        self._say("READY=1")

    def reloading(self) -> None:
        """Say that the configuration is being read; :meth:`ready` says that it has been."""
        self._say(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """Say that the service ends."""
        self._say("STOPPING=1")

    def alive(self) -> None:
        """Say that all is well."""
        self._say("WATCHDOG=1")

    def _say(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
                connection.setblocking(False)
                connection.sendto(message.encode(), self._address)
        except OSError:
            return  # nobody listens any more: no reason to serve nobody


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    """Return the watchdog's period, unless it is meant for another process."""
    said, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not said.isdigit() or not int(said) or pid not in {"", str(os.getpid())}:
        return None
    return int(said) / 1e6
