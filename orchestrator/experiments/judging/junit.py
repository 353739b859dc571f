"""JUnit XML of a gate: a suite per experiment, a case per series, as CI systems show them.

A broken gate is a failure; an inconclusive one is an error, because it says nothing about the code; a
series the gate does not look at is not there.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence

from orchestrator.experiments.judging.leak_gate import GatedSeries, GateResult, GateWord
from orchestrator.report import judged_words as words

_ELEMENTS: dict[GateWord, str] = {"broken": "failure", "inconclusive": "error"}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(result: GateResult) -> bytes:
    """Return the document, UTF-8 with its declaration."""
    root = ET.Element("testsuites", {"name": "orchestrator gate", **_counts(result.series)})
    for experiment in dict.fromkeys(one.judgement.experiment for one in result.series):
        own = [one for one in result.series if one.judgement.experiment == experiment]
        suite = ET.SubElement(root, "testsuite", {"name": _clean(experiment), **_counts(own)})
        for one in own:
            _add_case(suite, one)
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode", xml_declaration=False)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()


def _counts(series: Sequence[GatedSeries]) -> dict[str, str]:
    return {
        "tests": str(len(series)),
        "failures": str(sum(one.result == "broken" for one in series)),
        "errors": str(sum(one.result == "inconclusive" for one in series)),
    }


def _add_case(suite: ET.Element, one: GatedSeries) -> None:
    judged = one.judgement
    case = ET.SubElement(
        suite, "testcase", {"classname": _clean(judged.experiment), "name": _clean(judged.series)}
    )
    details = "\n".join(words.long(judged))
    if element := _ELEMENTS.get(one.result):
        found = ET.SubElement(case, element, {"type": _kind(one), "message": _clean(one.reason)})
        found.text = _clean(details)
    else:
        ET.SubElement(case, "system-out").text = _clean("\n".join([one.reason, details]))


def _kind(one: GatedSeries) -> str:
    """Return what kind of failure it is: the verdict on memory, or what else is open."""
    return one.judgement.verdict if one.about == "memory" else one.about


def _clean(text: str) -> str:
    """Replace what XML cannot hold: control characters of a worker's output."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
