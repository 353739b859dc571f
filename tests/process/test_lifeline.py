"""No worker outlives a parent that was killed, whatever it is doing. Promised within a second; tested at five.

Each test starts a *host*: a Python process that starts a worker, prints what matters and is then killed with
SIGKILL. What must be gone afterwards is watched from here.
"""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from orchestrator_worker.lifeline import PARENT_GONE_EXIT_CODE

DEADLINE_S = 5.0
START_S = 60.0
"""Where an interpreter must start first."""

HOST = """
import json, os, signal, sys, threading, time
from orchestrator.process.dialogue import Dialogue
from orchestrator_worker.protocol import Job, Load, Loaded, ModelSpec, Run, Done
{before}
dialogue = Dialogue()
dialogue.ask(Load(1, ModelSpec(engine="synthetic", name="m")), Loaded, timeout_s=30, phase="load")
{work}
print(json.dumps({{"worker": dialogue.worker.pid, **globals().get("more", {{}})}}), flush=True)
signal.pause()
"""


@pytest.fixture
def started() -> Iterator[list[int]]:
    pids: list[int] = []
    yield pids
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def start_host(
    started: list[int], *, before: str = "", work: str = ""
) -> tuple["subprocess.Popen[str]", dict[str, int]]:
    script = HOST.format(before=textwrap.dedent(before), work=textwrap.dedent(work))
    host = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert host.stdout is not None
    facts = json.loads(host.stdout.readline())
    started += [host.pid, *facts.values()]
    return host, facts


def kill_and_check_gone(host: "subprocess.Popen[str]", pids: list[int]) -> None:
    processes = [psutil.Process(pid) for pid in pids]
    host.kill()
    host.wait()
    if host.stdout is not None:
        host.stdout.close()
    _, alive = psutil.wait_procs(processes, timeout=DEADLINE_S)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


def send_fault(how: str) -> str:
    return f"""
    dialogue.worker.send(Run(2, Job("asr", text="x", options={{"fault": {{"how": "{how}"}}}})))
    time.sleep(0.3)
    """


@pytest.mark.parametrize(
    "work",
    ["", send_fault("hang"), send_fault("hang_ignoring_sigterm"), send_fault("hang_holding_gil")],
    ids=["idle", "hang", "ignores SIGTERM", "holds the GIL"],
)
def test_a_worker_dies_with_its_killed_host(started: list[int], work: str) -> None:
    host, facts = start_host(started, work=work)
    kill_and_check_gone(host, [facts["worker"]])


def test_sigio_ignored_and_blocked_by_inheritance_does_not_help_it(started: list[int]) -> None:
    before = """
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    """
    host, facts = start_host(started, before=before, work=send_fault("hang_holding_gil"))
    kill_and_check_gone(host, [facts["worker"]])


def test_grandchildren_go_too(started: list[int]) -> None:
    work = """
    fault = {"how": "grandchild"}
    dialogue.ask(Run(2, Job("asr", text="x", options={"fault": fault})), Done, timeout_s=30, phase="infer")
    path = f"/proc/{dialogue.worker.pid}/task/{dialogue.worker.pid}/children"
    more = {"grandchild": int(open(path).read().split()[0])}
    """
    host, facts = start_host(started, work=work)
    kill_and_check_gone(host, [facts["worker"], facts["grandchild"]])


def test_a_forked_copy_of_the_host_does_not_keep_it_alive(started: list[int]) -> None:
    work = """
    copy = os.fork()
    if copy == 0:
        signal.pause()
    more = {"copy": copy}
    """
    host, facts = start_host(started, work=work)
    kill_and_check_gone(host, [facts["worker"]])
    assert psutil.pid_exists(facts["copy"])


def test_the_end_of_a_thread_that_spawned_does_not_end_the_worker(started: list[int]) -> None:
    work = """
    made = []
    thread = threading.Thread(target=lambda: made.append(Dialogue()))
    thread.start()
    thread.join()
    more = {"second": made[0].worker.pid}
    """
    host, facts = start_host(started, work=work)
    time.sleep(0.2)  # room for a signal that should not come
    assert psutil.Process(facts["second"]).is_running()
    kill_and_check_gone(host, [facts["worker"], facts["second"]])


def test_a_parent_that_died_before_the_lifeline_was_held_is_noticed() -> None:
    main = Path(__file__).parents[2] / "worker" / "orchestrator_worker" / "__main__.py"
    commands_r, commands_w = os.pipe()
    replies_r, replies_w = os.pipe()
    lifeline_r, lifeline_w = os.pipe()
    os.close(lifeline_w)
    fds = (commands_r, replies_w, lifeline_r)
    process = subprocess.Popen(
        [sys.executable, "-P", str(main), *map(str, fds)], pass_fds=fds, process_group=0
    )
    for descriptor in fds:
        os.close(descriptor)
    try:
        assert process.wait(START_S) == PARENT_GONE_EXIT_CODE
    finally:
        process.kill()
        for descriptor in (commands_w, replies_r):
            os.close(descriptor)


def test_where_the_kernel_cannot_help_the_thread_ends_the_worker() -> None:
    """The portable fallback by itself, with the kernel's part taken away."""
    script = """
    import fcntl, os, sys, time
    del fcntl.F_SETSIG
    from orchestrator_worker import lifeline
    lifeline.hold(int(sys.argv[1]))
    print("holding", flush=True)
    time.sleep(60)
    """
    lifeline_r, lifeline_w = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(lifeline_r)],
        pass_fds=(lifeline_r,),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(lifeline_r)
        assert process.stdout is not None
        assert process.stdout.readline() == "holding\n"
        os.close(lifeline_w)
        assert process.wait(DEADLINE_S) == PARENT_GONE_EXIT_CODE
