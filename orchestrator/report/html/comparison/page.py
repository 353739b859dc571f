"""The page of a comparison: what has changed, the numbers, both sides' curves, what differs besides, verdicts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files

from orchestrator.report.html.charts.legend import Key, sample
from orchestrator.report.html.comparison.content import ComparisonContent, RunOrigin
from orchestrator.report.html.comparison.differences_part import charts_part, differences_part
from orchestrator.report.html.comparison.origin_part import details_part, provenance_part, setup_part
from orchestrator.report.html.comparison.pair_chart import KEYS
from orchestrator.report.html.comparison.verdicts_part import verdicts_part
from orchestrator.report.html.comparison.words import counted, sentence
from orchestrator.report.html.document import document
from orchestrator.report.html.figures import Figures
from orchestrator.report.html.markup import Html, bullets, element, joined, text

GLOSSARY: Mapping[str, str] = {
    "A, B": "the first side, which is compared with, and the second, which is compared; each is a run, or several",
    "growth": "MB by which memory grows with each iteration after the warm-up, of what a leak is judged by: memory "
    "that belongs to no file",
    "RSS, heap": "RSS is the memory of a process that is in RAM; the heap is what the program got from malloc and "
    "has not freed",
    "TTFT, speed, load": "milliseconds until the first text, characters per second after it, seconds to load a model",
    "WER, CER": "word and character errors, as a share of the reference text",
    "interval": "the values that the true difference may have; 95 % of such intervals hold it",
    "better, worse": "the whole interval lies on one side of zero, and the difference is large enough to count",
    "not told apart": "no difference is shown; that does not prove that there is none: the interval says how large "
    "it may still be",
    "not known": "a side lacks the number, or has one run, which does not tell how much a time varies from run to run; "
    "with one run against several that holds for growth and errors, too",
}
"""The page's words, explained."""

_MOST_NAMES = 4


def make_comparison_page(content: ComparisonContent) -> str:
    """Return the whole document: one file that works offline and without scripts."""
    body = joined(
        [
            _head(content),
            differences_part(content),
            charts_part(content),
            setup_part(content),
            verdicts_part(content),
            details_part(content),
            provenance_part(content),
            _glossary(),
        ]
    )
    style = (files("orchestrator.report.html.comparison") / "comparison.css").read_text(encoding="utf-8")
    return document("Comparison of runs", body, Figures(plain=True), None, style=style)


def _head(content: ComparisonContent) -> Html:
    runs = len(content.first), len(content.second)
    what = "two runs" if runs == (1, 1) else f"{runs[0]} with {runs[1]} run{'s' if runs[1] > 1 else ''}"
    said = element("p", text(f"{sentence(content)}."), class_="result")
    parts = [
        element("h1", text(f"Comparison of {what}")),
        _side(KEYS[0], content.first),
        _side(KEYS[1], content.second),
        element("div", joined([said, bullets(counted(content))]), class_="headline"),
    ]
    differing = len(content.unlike) + len(content.warnings)
    if content.notes or differing:
        notes = [element("li", text(note)) for note in content.notes]
        if differing:
            things = "1 thing differs" if differing == 1 else f"{differing} things differ"
            link = element("a", text(f"{things} in the set-up"), href="#set-up")
            notes.append(element("li", joined([link, text("and may be the cause")], " ")))
        parts.append(element("div", element("ul", joined(notes, "")), class_="notes"))
    return element("header", joined(parts))


def _side(key: Key, origins: Sequence[RunOrigin]) -> Html:
    names = list(dict.fromkeys(origin.name for origin in origins))
    shown = ", ".join(names[:_MOST_NAMES]) + (
        f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    )
    begun = sorted(str(began) for origin in origins if (began := origin.facts.get("created_at")))
    versions = dict.fromkeys(str(v) for origin in origins if (v := origin.facts.get("tool_version")))
    when = "" if not begun else f"begun {begun[0]}" if len(begun) == 1 else f"begun {begun[0]} to {begun[-1]}"
    words = [
        f"{len(origins)} runs" if len(origins) > 1 else "",
        when,
        f"orchestrator {', '.join(versions)}" if versions else "",
    ]
    told = " · ".join(word for word in words if word)
    letter = element("b", text(key.words), class_=f"side-{key.words.lower()}")
    name = element("strong", text(shown))
    return element("p", joined([sample(key), letter, name, text(told)], " "), class_="side")


def _glossary() -> Html:
    words = joined(
        [joined([element("dt", text(word)), element("dd", text(said))]) for word, said in GLOSSARY.items()]
    )
    return element("section", joined([element("h2", text("Words")), element("dl", words)]), id_="words")
