"""Chinese in ``run``: shown in zh-TW while it comes, then in digits, both kept, and compared in the final form."""

from __future__ import annotations

from typing import Any

from lab import Lab, asr, experiment, read_json, synthetic

PHONE = "零九零零零七三三三一"
SOFTWARE = "我的软件内存用了百分之二十五"
IN_TAIWAN = "我的軟體記憶體用了百分之二十五"
MODELS = {
    "chinese": synthetic(text=SOFTWARE, tokens=5) | {"language": "Chinese"},
    "itn": synthetic(text=SOFTWARE) | {"language": "zh", "chinese": "itn"},
    "off": synthetic(text=SOFTWARE) | {"language": "zh", "chinese": "off"},
    "auto": synthetic(text=SOFTWARE) | {"language": "auto"},
    "unnamed": synthetic(text=SOFTWARE),
    "japanese": synthetic(text=SOFTWARE) | {"language": "Japanese"},
}


def test_as_the_seeds_show_it(lab: Lab) -> None:
    model = synthetic(text=PHONE, tokens=4, token_ms=5) | {"language": "Chinese"}
    lab.write(experiment("exp1", "recreate", iterations=1, output="asr.json"), models={"small": model})
    (lab.folder / "tone.txt").write_text("0900073331\n", encoding="utf-8")
    done = lab.run("run", "-v")
    assert done.code == 0, done.err
    lines = done.err.splitlines()
    at = lines.index("Transcribing audio (streaming output)...")
    assert lines[at + 1 : at + 3] == [PHONE, "Result: 0900073331"]
    assert "WER: 0.00%" in lines[at + 3]
    step = read_json(lab.results / "asr.json")["iterations"][0]["steps"][0]
    assert (step["text"], step["text_zh_tw"], step["text_itn"]) == (PHONE, PHONE, "0900073331")
    assert (step["wer_percent"], step["cer_percent"]) == (0, 0)
    assert step["normalization"].startswith("zh-TW, numbers in digits, ")


def test_a_model_s_language_and_its_key_say_what_is_done(lab: Lab) -> None:
    experiments = [
        experiment(name, "reuse", iterations=1, output=f"{name}.json", steps=[asr(name)]) for name in MODELS
    ]
    lab.write(*experiments, models=MODELS)
    (lab.folder / "tone.txt").write_text(IN_TAIWAN, encoding="utf-8")
    done = lab.run("run")
    assert done.code == 0, done.err
    found = {name: read_json(lab.results / f"{name}.json")["iterations"][0]["steps"][0] for name in MODELS}
    assert {step["text"] for step in found.values()} == {SOFTWARE}
    for name in ("chinese", "auto", "unnamed"):
        assert written(found[name]) == (IN_TAIWAN, "我的軟體記憶體用了25%")
        assert found[name]["wer_percent"] == 0  # the reference is in words: it is brought into the same form
    assert written(found["itn"]) == (None, "我的软件内存用了25%")
    for name in ("off", "japanese"):
        assert written(found[name]) == (None, None)
        assert found[name]["wer_percent"] > 0


def test_an_align_step_gets_the_engine_s_own_text(lab: Lab) -> None:
    """The aligner was trained on what the recogniser writes, so it is not given our form."""
    steps = [asr("small"), {"task": "align", "model": "aligner", "sample": "tone", "text": "previous"}]
    heard_as = synthetic(text="三十 个") | {"language": "Chinese"}
    lab.write(
        experiment("exp5", "recreate", iterations=1, output="both.json", steps=steps),
        models={"small": heard_as, "aligner": synthetic()},
    )
    done = lab.run("run")
    assert done.code == 0, done.err
    heard, aligned = read_json(lab.results / "both.json")["iterations"][0]["steps"]
    assert heard["text_itn"] == "30 個"
    assert [word["text"] for word in aligned["words"]] == ["三十", "个"]


def written(step: dict[str, Any]) -> tuple[str | None, str | None]:
    return step.get("text_zh_tw"), step.get("text_itn")
