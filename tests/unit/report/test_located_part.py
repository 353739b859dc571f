"""Where it leaks, on the page: boxes as wide as the bytes, everything in words too, nothing of a stranger as markup."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
from written_runs import Written, experiment

from located_builders import LINE, answer, frame, rate, site
from orchestrator.analysis.locating.frames import Frame
from orchestrator.errors import ResultsError
from orchestrator.experiments.reporting.run_report import build_report
from orchestrator.experiments.storage import stored_located
from orchestrator.experiments.storage.stored_located import (
    LOCATED_NAME,
    flame_graph_of,
    flame_graph_path,
    make_flames_folder,
    read_located,
    write_located,
)
from orchestrator.report.html.content import LocatedContent
from orchestrator.report.html.icicle import MOST_SITES, icicle
from orchestrator.report.html.located_part import located_line, located_part

TWO = (site(300, "get_shape", "run"), site(100, "get_type", "run"))


def boxes(drawn: str) -> list[tuple[str, str, float, float, float]]:
    """Return class, first line of the title, x, y and width of each box."""
    groups = ET.fromstring(drawn).findall("g")
    found = []
    for group in groups:
        box, title = group.find("rect"), group.find("title")
        assert box is not None
        assert title is not None
        assert title.text
        place = (float(box.attrib[key]) for key in ("x", "y", "width"))
        found.append((group.attrib["class"], title.text.splitlines()[0], *place))
    return found


def test_a_box_is_as_wide_as_its_bytes_and_lies_under_its_caller() -> None:
    found = boxes(icicle(TWO, "iteration"))
    assert [(kind, title.split("  ")[0]) for kind, title, *_ in found] == [
        ("all", "all sites: 400 bytes per iteration"),
        ("python", "transcribe"),
        ("native", "run"),
        ("own", "get_shape"),
        ("own", "get_type"),
    ]
    assert [row for *_, row, _ in found] == [0, 22, 44, 66, 66]
    (*_, first_x, _, first_width), (*_, second_x, _, second_width) = found[3:]
    assert first_width / second_width == pytest.approx(3, rel=0.01)
    assert (first_x, second_x) == (0, 750)


def test_a_title_has_the_whole_frame_and_no_folder_of_the_user() -> None:
    drawn = icicle(TWO, "iteration")
    assert "transcribe  engine/core.py:174" in drawn
    assert "get_shape  [libengine.so abcdef012345]" in drawn
    assert "300 bytes per iteration, 75 %" in drawn
    assert "/home/me" not in drawn
    assert "orchestrator_worker" not in drawn


def test_no_site_is_no_drawing() -> None:
    assert icicle([], "iteration") == ""
    shrinking = msgspec.structs.replace(TWO[0], held=rate(-5))
    assert icicle([shrinking], "iteration") == ""


def test_many_sites_and_deep_stacks_stay_a_page() -> None:
    many = [site(1000 - number, *(f"f{number}_{depth}" for depth in range(200))) for number in range(300)]
    drawn = icicle(many, "iteration")
    assert 0 < len(boxes(drawn)) <= MOST_SITES * 24
    assert len(drawn) < 1_000_000


def test_the_section_says_it_in_words_too() -> None:
    page = located_part([LocatedContent(answer(*TWO), "located/exp2-restart.html")])
    for said in (
        "<h2>Where it leaks</h2>",
        "2 leak sites that grow with every block of iterations (6 blocks of 1 after 4 warm-up).",
        "run ← transcribe (engine/core.py:174)",
        "They explain 400 of 400 bytes per iteration, 100 % (the newest run).",
        'href="located/exp2-restart.html"',
        "memray 1.20.0: 20 s in all, 2.5 times slower than untraced; traced: the times are not the engine&#x27;s",
    ):
        assert said in page, said
    assert located_part([]) == ""
    assert "href" not in located_part([LocatedContent(answer(*TWO))])
    assert located_line(answer(*TWO)).startswith(
        "exp2 restart: get_shape keeps 300 bytes per iteration; 2 sites"
    )
    assert located_line(answer()).startswith("exp2 restart: no leak site")


EVIL = '"><script>alert(1)</script>&\u202e'


def test_nothing_of_a_stranger_is_markup() -> None:
    hostile = msgspec.structs.replace(
        TWO[0],
        phase=EVIL,
        python_type=EVIL,
        frames=[frame(EVIL, EVIL)],
        stack=[frame(EVIL * 2000, EVIL), Frame(EVIL, EVIL, 3, python=True)],
    )
    found = msgspec.structs.replace(
        answer(hostile), name=EVIL, method=EVIL, tracer=EVIL * 9000, notes=[EVIL] * 500, others=[hostile]
    )
    page = located_part([LocatedContent(found)] * 100)
    assert "<script" not in page
    assert len(page) < 2_000_000
    ET.fromstring(re.sub(r"<details open>|<details>", "<details>", page))


def run_of(tmp_path: Path) -> Path:
    return Written(tmp_path, experiment("restart", "recycle")).run.path


def test_what_was_located_is_kept_and_replaced_by_method(tmp_path: Path) -> None:
    assert read_located(tmp_path) == []
    first, other = answer(*TWO), answer(method="recreate")
    write_located(tmp_path, [first, other])
    assert read_located(tmp_path) == [first, other]
    write_located(tmp_path, [again := answer(TWO[0])])
    assert read_located(tmp_path) == [again, other]


def test_the_page_and_its_copy_link_to_the_flame_graph(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    write_located(run, [answer(*TWO)])
    make_flames_folder(run)
    flame_graph_path(run, "exp2", "restart").write_text("<p>")
    paths = build_report(run, markdown=True)
    assert paths.latest is not None
    assert paths.markdown is not None
    assert 'href="located/exp2-restart.html"' in paths.html.read_text("utf-8")
    assert f'href="runs/{run.name}/located/exp2-restart.html"' in paths.latest.read_text("utf-8")
    assert "### Where it leaks" in paths.markdown.read_text("utf-8")
    elsewhere = build_report(run, out=tmp_path / "other" / "page.html").html.read_text("utf-8")
    (link,) = re.findall(r'href="([^"]*exp2-restart.html)"', elsewhere)
    assert (tmp_path / "other" / link).resolve() == flame_graph_path(run, "exp2", "restart").resolve()


@pytest.mark.parametrize(
    ("name", "method"),
    [("../../../etc/passwd", "x"), ("a/b", "c"), ("", ""), ("exp", "\x00"), (".", "."), ("é" * 300, "x")],
)
def test_no_name_leads_out_of_the_runs_folder(tmp_path: Path, name: str, method: str) -> None:
    path = flame_graph_path(tmp_path, name, method)
    assert path.parent == tmp_path / "located"
    assert re.fullmatch(r"[A-Za-z0-9_.@-]+\.html", path.name)
    assert len(path.name) < 100
    assert flame_graph_of(tmp_path, name, method) is None


def test_two_names_that_look_alike_have_two_places(tmp_path: Path) -> None:
    assert flame_graph_path(tmp_path, "a/b", "x") != flame_graph_path(tmp_path, "a_b", "x")
    assert flame_graph_path(tmp_path, "a/b", "x") != flame_graph_path(tmp_path, "a:b", "x")


def test_a_link_in_the_place_of_a_flame_graph_is_none(tmp_path: Path) -> None:
    make_flames_folder(tmp_path)
    (tmp_path / "secret.html").write_text("mine")
    flame_graph_path(tmp_path, "exp2", "restart").symlink_to(tmp_path / "secret.html")
    assert flame_graph_of(tmp_path, "exp2", "restart") is None


def changed(**changes: object) -> bytes:
    document = msgspec.to_builtins(answer(*TWO)) | changes
    return msgspec.json.encode({"schema": 1, "answers": [document]})


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"", "damaged", id="empty"),
        pytest.param(b"[]", "damaged", id="a list"),
        pytest.param(b"\xff\xfe", "damaged", id="no text"),
        pytest.param(b"[" * 100_000, "damaged", id="deep"),
        pytest.param(b'{"schema": 9, "answers": []}', "schema 9", id="newer"),
        pytest.param(b'{"schema": 1, "answers": [{"name": 3}]}', "damaged", id="no answer"),
        pytest.param(
            changed(explained_mb=3).replace(b'"explained_mb":3', b'"explained_mb":1e999'),
            "damaged",
            id="endless",
        ),
        pytest.param(changed(warm_up=10**18 * 5), "beyond any memory", id="large"),
        pytest.param(changed(name="x" * 70_000), "a text of 70,000 characters", id="long"),
        pytest.param(changed(outcome="<b>"), "damaged", id="no outcome"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_in_one_sentence(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / LOCATED_NAME).write_bytes(content)
    with pytest.raises(ResultsError, match=re.escape(why)) as error:
        read_located(tmp_path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500 + len(str(tmp_path))


def test_sizes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_located(tmp_path, [answer(*TWO)])
    monkeypatch.setattr(stored_located, "MOST_VALUES", 50)
    with pytest.raises(ResultsError, match="more than 50 values"):
        read_located(tmp_path)
    monkeypatch.setattr(stored_located, "MOST_BYTES", 100)
    with pytest.raises(ResultsError, match="larger than"):
        read_located(tmp_path)


def test_a_damaged_file_costs_the_page_nothing_but_its_section(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    (run / LOCATED_NAME).write_text("{")
    page = build_report(run).html.read_text("utf-8")
    assert "Where it leaks cannot be shown: " in page
    assert 'id="located"' not in page
    assert f"← {LINE.function}" not in page
