"""Every exit status has words of its own."""

import signal

import pytest

from orchestrator.process.exit_status import describe_exit, signal_name

needs_realtime = pytest.mark.skipif(not hasattr(signal, "SIGRTMIN"), reason="no real-time signals here")


@pytest.mark.parametrize(
    ("returncode", "words"),
    [
        (0, "exit code 0"),
        (1, "exit code 1"),
        (134, "exit code 134"),
        (255, "exit code 255"),
        (-signal.SIGABRT, "SIGABRT"),
        (-signal.SIGSEGV, "SIGSEGV"),
        (-signal.SIGKILL, "SIGKILL"),
        (-signal.SIGTERM, "SIGTERM"),
        (-200, "signal 200"),
    ],
)
def test_words(returncode: int, words: str) -> None:
    assert describe_exit(returncode) == words


@needs_realtime
def test_real_time_signals_are_named_from_their_first() -> None:
    assert signal_name(signal.SIGRTMIN) == "SIGRTMIN"
    assert signal_name(signal.SIGRTMIN + 3) == "SIGRTMIN+3"
    assert signal_name(signal.SIGRTMAX) == "SIGRTMAX"
    assert signal_name(signal.SIGRTMAX + 1) == f"signal {signal.SIGRTMAX + 1}"
    assert signal_name(signal.SIGRTMIN - 1) == f"signal {signal.SIGRTMIN - 1}"


def test_every_signal_of_the_system_has_its_own_words() -> None:
    valid = {int(number) for number in signal.valid_signals()}
    words = {describe_exit(-number) for number in valid}
    assert len(words) == len(valid)
    assert not any(text.startswith("exit code") for text in words)
