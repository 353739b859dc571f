"""A template: a process that has loaded a model, runs no job, and forks workers that have it loaded too.

A worker forked this way shares the model's pages with the template and with its siblings until one of them writes, and
is ready in the time that a fork takes. The template is a fork server (:mod:`.fork_server`) that loads first::

    host ── order: environment, model ──▶ template: load, look at itself
    host ◀── "asks" + descriptor ──────── template, if it is strict
    host ◀── report: ready, or why not ── template
    host ── "fork" + descriptors ───────▶ template ──▶ the worker's number

A fork copies one thread and shares what is open, so the template looks at itself after the load
(:mod:`.fork_safety`). Where that finds something, and wherever the load fails, it says why and leaves: the host then
starts workers cold, and a failing load fails there again, with all that it prints.

A template whose workers are to be confined confines itself before it loads, to what all of them may use: the engine's
code runs here first. Each worker then confines itself further, to what is its own. What needs a right that a confined
process must not have, a process group for each worker, a strict template asks of the host (:mod:`.sandbox.seccomp`).
"""

from __future__ import annotations

import _socket
import gc
import os
import sys
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from orchestrator_worker import fork_server, lifeline
from orchestrator_worker.protocol import ModelSpec, Sandbox, Value

if TYPE_CHECKING:
    from orchestrator_worker.engines.base import Engine

SHORTEST_MOVE_S = 2.0
"""So long, and as long as the load took, memory is moved into huge pages."""
ASKS = b"asks"
LONGEST_MESSAGE = 1 << 17
"""Bytes of an order or a report: what a socket of packets takes with the kernel's usual limits."""


class Order(Value, frozen=True):
    """What a template loads. ``sys_path``, ``environ`` and ``sandbox`` are as those of ``Configure``."""

    model: ModelSpec
    sys_path: list[str]
    environ: dict[str, str]
    sandbox: Sandbox | None = None


class Report(Value, frozen=True):
    """What became of the order: it can be forked, or ``why_not``. ``seconds`` is how long the engine loaded.

    ``failed``: it is the load that failed, and not the model that cannot be forked.
    """

    why_not: str = ""
    seconds: float = 0.0
    failed: bool = False


class Held(NamedTuple):
    """A model that is loaded in this process already. ``facts`` are the engine's words at the load."""

    spec: ModelSpec
    engine: Engine
    facts: Mapping[str, Any]


def serve(channel_fd: int, lifeline_fd: int) -> tuple[tuple[int, ...], Held]:
    """Load what the host orders and answer requests. Returns in each forked worker: its descriptors, its model."""
    lifeline.hold(lifeline_fd)
    fork_server.prepare()
    channel = _socket.socket(fileno=channel_fd)
    order = msgspec.msgpack.decode(channel.recv(LONGEST_MESSAGE) or fork_server.leave(), type=Order)
    report, held = _follow(order, channel)
    if held is not None:
        _settle(report.seconds)
    prepare_next = _prepared_for(order.sandbox)
    channel.send(msgspec.msgpack.encode(report))
    if held is None:
        fork_server.leave()
    from orchestrator_worker.fork_safety import open_files, renew

    files = open_files()  # here: a confined worker may not look
    strict = order.sandbox is not None and order.sandbox.mode == "strict"
    descriptors = fork_server.answer_requests(
        channel, prepare_next, _fork_asking if strict else fork_server.fork
    )
    os.close(lifeline_fd)
    renew(files)
    return descriptors, held


def _prepared_for(sandbox: Sandbox | None) -> Callable[[], None]:
    if sandbox is None:
        return _nothing
    from orchestrator_worker.sandbox import confinement

    confinement.prepare(sandbox.wide, sandbox.mode)
    return confinement.renew


def _nothing() -> None:
    return


def _fork_asking() -> int:
    """As :func:`.fork_server.fork`, where a process asks for its group. Returns when it has that, or is gone.

    Or when the system has no descriptor or process left: a refusal is an answer.
    """
    try:
        ended, open_until_then = os.pipe()
    except OSError as error:
        return -(error.errno or 1)
    try:
        number = os.fork()
    except OSError as error:
        os.close(ended)
        os.close(open_until_then)
        return -(error.errno or 1)
    if number == 0:
        os.close(ended)
        try:
            os.setpgid(0, os.getpid())
        except OSError:
            fork_server.leave()  # refused: the host knows why
    os.close(open_until_then)
    if number:
        os.read(ended, 1)
        os.close(ended)
    return number


def _confine(sandbox: Sandbox, channel: _socket.socket) -> None:
    """Confine this process; whoever holds the other end of ``channel`` is asked for process groups."""
    from orchestrator_worker.sandbox.confinement import Confinement

    listener = Confinement(sandbox, forks=True).listener
    if listener >= 0:
        rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, fork_server.DESCRIPTOR.pack(listener))
        channel.sendmsg([ASKS], [rights])
        os.close(listener)  # or what is loaded could answer itself


def _follow(order: Order, channel: _socket.socket) -> tuple[Report, Held | None]:
    try:
        return _load(order, channel)
    except BaseException as error:
        from orchestrator_worker.exception_text import name_of, text_of

        said = text_of(error)[:1000]
        return Report(f"the load failed in its template: {name_of(error)}: {said}", failed=True), None


def _load(order: Order, channel: _socket.socket) -> tuple[Report, Held | None]:
    from orchestrator_worker.engines import registry
    from orchestrator_worker.fork_safety import Look

    sys.path.extend(entry for entry in order.sys_path if entry not in sys.path)
    os.environ.update(order.environ)
    if order.sandbox is not None:
        _confine(order.sandbox, channel)
    found = registry.find(order.model.engine)
    if not found.may_fork(order.model):
        return Report(f"engine {found.name} does not say that it may be forked after a load"), None
    before = Look()
    engine = found()
    started = perf_counter()
    facts = dict(engine.load(order.model))
    seconds = perf_counter() - started
    if unsafe := Look().differs_from(before):
        return Report(unsafe), None
    return Report("", seconds), Held(order.model, engine, facts)


def _settle(load_s: float) -> None:
    """Leave nothing to be done once in every worker: text to be printed, garbage, free memory, large page tables."""
    import ctypes

    from orchestrator_worker import allocator, huge_pages

    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    ctypes.CDLL(None).fflush(None)
    gc.collect()
    allocator.trim()
    huge_pages.collapse(SHORTEST_MOVE_S + load_s)
    gc.freeze()
