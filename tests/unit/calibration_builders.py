"""A small calibration for tests of how it is kept and shown."""

from orchestrator.analysis.judging.judgement import Judgement
from orchestrator.analysis.planning.calibration import (
    Calibration,
    CaseResult,
    FalseAlarms,
    RateTried,
    SmallestLeak,
    hold_against,
)

HOST = {"kernel": "6.1", "cores": 2, "memory_total_bytes": 8 << 30, "libc": "glibc 2.36"}


def judgement(verdict, rate=0.0):
    return Judgement(
        experiment="case",
        series="reuse",
        method="reuse",
        verdict=verdict,
        outcome="completed",
        sentence="completed 50 iterations",
        boundary="after_infer",
        rate_mb_per_iteration=rate,
        ci_low=rate - 0.01,
        ci_high=rate + 0.01,
        rate_channel="rss",
    )


def case(name, truth, rate, by_rss, by_heap):
    return CaseResult(
        name=name,
        what=f"{name} in words",
        method="reuse",
        truth=truth,
        true_rate_mb_per_iteration=rate,
        iterations=50,
        sentence="completed 50 iterations",
        found=[
            hold_against(truth, rate, "rss", judgement(by_rss, rate)),
            hold_against(truth, rate, "rss,heap", judgement(by_heap, rate)),
        ],
    )


def smallest(channels, iterations, rate, *tried):
    return SmallestLeak(
        background="quiet",
        channels=channels,
        iterations=iterations,
        mb_per_iteration=rate,
        runs=10,
        tried=[RateTried(*each) for each in tried],
    )


def make_calibration(**changed):
    facts = {
        "created_at": "2026-11-21T10:00:00+00:00",
        "seconds": 90.0,
        "quick": False,
        "host": HOST,
        "packages": {"numpy": "2.0"},
        "tool_version": "0.1.0",
        "heap": "mallinfo2",
        "backgrounds": {"quiet": "nothing but the leak"},
        "cases": [
            case("malloc leak", "leak", 0.5, "leak", "leak"),
            case("cache", "no leak", 0.0, "leak", "bounded"),
        ],
        "smallest": [
            smallest("rss", 30, None, (1.0, 2, 3), (2.0, 9, 10)),
            smallest("rss", 100, 0.125, (0.1, 0, 3), (0.125, 10, 10)),
            smallest("rss,heap", 30, 0.025, (0.02, 0, 3), (0.025, 10, 10)),
            smallest("rss,heap", 100, 0.025, (0.02, 0, 3), (0.025, 10, 10)),
        ],
        "false_alarms": [
            FalseAlarms("cases", "rss", 1, 7),
            FalseAlarms("cases", "rss,heap", 0, 8),
            FalseAlarms("quiet", "rss", 0, 10),
        ],
    }
    return Calibration(**(facts | changed))
