"""The weight of an install: of all extras that there are now, and of no environment that was installed before."""

from __future__ import annotations

import json
import runpy
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

TOP = Path(__file__).parents[2]
EXTRAS = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]


def test_the_record_has_every_extra_and_the_fresh_install() -> None:
    record = json.loads((TOP / "benchmarks/results/weight.json").read_text("utf-8"))
    assert {row[0] for row in record["rows"]} == {"(none)", *EXTRAS}, (
        "run: python benchmarks/weight.py --fresh"
    )
    assert f"{record['fresh_mb']:.0f} MB" in (TOP / "benchmarks/README.md").read_text("utf-8")


def test_an_environment_installed_before_an_extra_came_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("packaging", reason="needs the extra 'bench'")
    monkeypatch.syspath_prepend(str(TOP / "benchmarks"))
    weight: dict[str, Any] = runpy.run_path(str(TOP / "benchmarks/weight.py"))
    main = weight["main"]
    assert weight["declared"]() == sorted(EXTRAS)
    monkeypatch.setattr(sys, "argv", ["weight.py"])
    monkeypatch.setitem(main.__globals__, "extras", lambda: sorted({*EXTRAS} - {"export"}))
    monkeypatch.setitem(main.__globals__, "needed", lambda: pytest.fail("it went on"))
    with pytest.raises(SystemExit, match=r"extras of now \(export\): pip install -e \."):
        main()
