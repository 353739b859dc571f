"""``orchestrator calibrate`` as a command: help, an interrupt, a folder that cannot be written."""

import signal

from lab import END_S, Lab, wait_until


def test_an_interrupt_ends_it_keeps_nothing_and_leaves_no_worker(lab: Lab) -> None:
    process = lab.start("calibrate", "--quick")
    err = lab.folder / "err.txt"
    wait_until(lambda: "case 1 of" in err.read_text(), within_s=60, what="the first case")
    process.send_signal(signal.SIGINT)
    assert process.wait(END_S) == 130
    assert err.read_text().splitlines()[-1] == (
        "interrupted; nothing of a calibration is kept before its end; an earlier one is untouched"
    )
    assert not (lab.results / "calibration.json").exists()


def test_a_place_that_cannot_be_written_is_said_at_once(lab: Lab) -> None:
    refused = lab.run("calibrate", "--results", lab.folder / "tone.txt" / "results", "--quiet")
    assert refused.code == 2
    assert "tone.txt" in refused.err
