"""What each side does, method by method: verdicts beside each other, with their reasons folded. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.report import judged_words
from orchestrator.report.html.comparison.content import ComparisonContent, MethodPair, MethodRun, RunOrigin
from orchestrator.report.html.comparison.differences_part import kind_badges, method_id
from orchestrator.report.html.comparison.origin_part import run_names
from orchestrator.report.html.comparison.words import change_of_verdict
from orchestrator.report.html.markup import Html, bullets, element, folded, joined, text
from orchestrator.stderr_lines import library_first


def verdicts_part(content: ComparisonContent) -> Html:
    """Return the section; nothing where no method is on both sides."""
    if not content.methods:
        return Html("")
    entries = [_entry(content, pair, at) for at, pair in enumerate(content.methods, 1)]
    return element("section", joined([element("h2", text("Verdicts")), *entries]), id_="verdicts")


def _entry(content: ComparisonContent, pair: MethodPair, at: int) -> Html:
    said = element("span", text(f"{change_of_verdict(pair)}."), class_="said")
    title = element("h3", joined([text(pair.name), said], " "))
    sides = joined(
        [
            _side("A", pair.method, pair.first, content.first),
            _side("B", pair.method, pair.second, content.second),
        ]
    )
    return element("article", joined([title, element("div", sides, class_="two-sides")]), id_=method_id(at))


def _side(letter: str, method: str, runs: Sequence[MethodRun], origins: Sequence[RunOrigin]) -> Html:
    head = element(
        "p", joined([element("b", text(letter), class_=f"side-{letter.lower()}"), kind_badges(runs)], " ")
    )
    if len(runs) == 1:
        return element("div", joined([head, *_told(method, runs[0])]))
    meanings = {judged_words.meaning(method, judged) for each in runs if (judged := each.summary.judgement)}
    same = [element("p", element("strong", text(f"{said}."))) for said in meanings if len(meanings) == 1]
    names = run_names(origins)
    each = [
        joined([element("h4", text(name)), *_told(method, run)])
        for name, run in zip(names, runs, strict=True)
    ]
    return element("div", joined([head, *same, folded(f"Each of the {len(runs)} runs", joined(each))]))


def _told(method: str, run: MethodRun) -> list[Html]:
    """Return what a run's verdict means, its growth, and why; the last words of a worker that did not end well."""
    judged = run.summary.judgement
    if judged is None:
        return [element("p", text(f"{method} was not judged."))]
    meaning = element("strong", text(f"{judged_words.meaning(method, judged)}."))
    sentence = judged_words.growth_sentence(judged)
    parts = [element("p", joined([meaning, text(sentence)], " "))]
    if cure := run.summary.how_to_get_it:
        parts.append(element("p", text(f"What to do: {cure}")))
    reasons = [line for line in judged_words.long(judged) if line != f"because: {judged.sentence}"]
    if reasons:
        parts.append(folded("Why", bullets(reasons)))
    if tail := (run.summary.stderr_tail or "").strip():
        parts.append(folded("Last output of the worker", element("pre", text(library_first(tail)))))
    return parts
