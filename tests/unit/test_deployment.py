"""The files that run a server, each checked by its own kind of linter or schema, and against what the server has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.app import app as commands
from orchestrator.config.load import load_file
from orchestrator.config.serve_table import ServeConfig
from orchestrator.pool.models import Model
from orchestrator.pool.pool import Pool

yaml = pytest.importorskip("yaml", reason="PyYAML, of the extra 'dev', is not installed")
pytest.importorskip("starlette", reason="needs the extra 'serve'")
pytest.importorskip("prometheus_client", reason="needs the extra 'serve'")

from orchestrator.pool.prometheus import PoolCollector  # noqa: E402
from orchestrator.serving.settings import KEY_VARIABLE  # noqa: E402

FOLDER = Path(__file__).parents[2] / "examples" / "deployment"
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]["speech"]
MANIFEST = list(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text()))
POD = MANIFEST[1]["spec"]["template"]["spec"]
UNIT = (FOLDER / "orchestrator.service").read_text()
DASHBOARD = json.loads((FOLDER / "grafana-dashboard.json").read_text())


def arguments_of(words: list[str]) -> dict[str, Any]:
    """Return what the real command makes of its arguments; a usage error names what is wrong."""
    import typer.main

    name, *rest = words
    group: Any = typer.main.get_command(commands)
    found: dict[str, Any] = group.commands[name].make_context(name, rest).params
    return found


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


# ------------------------------------------------------------------ linters and schemas


def test_compose_is_as_its_specification_says() -> None:
    pytest.importorskip("check_jsonschema", reason="check-jsonschema, of the extra 'dev', is not installed")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, FOLDER / "compose.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_manifest_is_as_kubernetes_says() -> None:
    validator = pytest.importorskip(
        "kubernetes_validate", reason="kubernetes-validate, of the extra 'dev', is not installed"
    )
    for document in MANIFEST:
        validator.validate(document, desired_version="1.31", strict=True)
    wrong = {**MANIFEST[2], "spec": {"prots": []}}
    with pytest.raises(validator.ValidationError):
        validator.validate(wrong, desired_version="1.31", strict=True)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze, of Debian's systemd")
def test_the_unit_is_as_systemd_says(tmp_path: Path) -> None:
    unit = tmp_path / "orchestrator.service"
    unit.write_text(UNIT.replace("/opt/orchestrator/bin/orchestrator", sys.executable))
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "orchestrator" in line]) == (0, [])


def test_the_dashboard_is_as_grafanas_own_types_say() -> None:
    models = pytest.importorskip(
        "grafana_foundation_sdk.models.dashboard", reason="grafana-foundation-sdk, of 'dev', is not installed"
    )
    read = models.Dashboard.from_json(DASHBOARD)
    known = read.to_json()
    assert DASHBOARD.keys() <= known.keys()
    for given, made in zip(DASHBOARD["panels"], known["panels"], strict=True):
        assert given.keys() <= (made if isinstance(made, dict) else made.to_json()).keys()


# ------------------------------------------------------------------ against the server


def test_every_metric_of_the_dashboard_exists() -> None:
    with Pool(models=[Model(name="m", engine="synthetic")]) as pool:
        there = {
            sample.name
            for family in PoolCollector(pool).collect()
            for sample in (*family.samples, *_empty(family))
        }
    queries = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    queries += [each["query"] for each in DASHBOARD["templating"]["list"] if each["type"] == "query"]
    asked = {name for query in queries for name in re.findall(r"\borchestrator_\w+", query)}
    assert len(asked) >= 10
    assert asked <= there, f"there is no {sorted(asked - there)}"
    assert "orchestrator_worker_missed_readings_total" in asked, "blind moments of the limits are seen"


def _empty(family: Any) -> list[Any]:
    """Return a sample of a counter that has none yet: jobs, before the first has ended."""
    from prometheus_client.samples import Sample

    return [] if family.samples else [Sample(f"{family.name}_total", {}, 0.0)]


def test_panels_do_not_lie_upon_each_other() -> None:
    taken = [
        (panel["gridPos"]["x"] + column, panel["gridPos"]["y"] + row)
        for panel in DASHBOARD["panels"]
        for column in range(panel["gridPos"]["w"])
        for row in range(panel["gridPos"]["h"])
    ]
    assert len(taken) == len(set(taken))
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_each_command_line_is_one_that_serve_takes() -> None:
    (start,) = re.findall(r"^ExecStart=\S+ (.*)$", UNIT, re.MULTILINE)
    container = POD["containers"][0]
    for words in (COMPOSE["command"], container["args"], start.split()):
        found = arguments_of(words)
        assert found["host"] == "0.0.0.0"
        assert found["log_format"] == "json"
        assert found["insecure"] is False
    assert arguments_of(container["args"])["port"] == container["ports"][0]["containerPort"]
    swapped = yaml.safe_load((FOLDER / "llama-swap.yaml").read_text())["models"]["speech"]
    assert arguments_of(swapped["cmd"].replace("${PORT}", "8000").split()[1:])["port"] == 8000


def test_the_key_comes_from_where_the_server_looks() -> None:
    assert KEY_VARIABLE in COMPOSE["environment"]
    assert KEY_VARIABLE in {each["name"] for each in POD["containers"][0]["env"]}
    assert "EnvironmentFile=" in UNIT
    assert KEY_VARIABLE in UNIT


def test_probes_ask_what_is_there() -> None:
    from orchestrator.serving.access import OPEN_PATHS

    container = POD["containers"][0]
    paths = {
        container[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")
    }
    assert paths == {"/health/ready", "/health/live"}
    assert paths <= OPEN_PATHS, "a probe has no key"
    assert "/health/ready" in " ".join(COMPOSE["healthcheck"]["test"])
    assert (
        yaml.safe_load((FOLDER / "llama-swap.yaml").read_text())["models"]["speech"]["checkEndpoint"] in paths
    )


def test_the_memory_limit_is_what_the_budget_follows_from(tmp_path: Path) -> None:
    resources = POD["containers"][0]["resources"]
    assert resources["limits"]["memory"] == resources["requests"]["memory"]
    file = tmp_path / "experiments.toml"
    file.write_text(MANIFEST[0]["data"]["experiments.toml"])
    serve = load_file(file).serve
    assert serve is not None
    assert serve.memory_budget is None
    assert COMPOSE["mem_limit"]
    assert "MemoryMax=" in UNIT


def test_whoever_stops_it_waits_longer_than_its_time_of_grace() -> None:
    grace_s = ServeConfig().grace_s
    assert POD["terminationGracePeriodSeconds"] > grace_s
    assert seconds(COMPOSE["stop_grace_period"]) > grace_s
    (stop,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)
    assert float(stop) > grace_s
