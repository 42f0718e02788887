"""The catalogue: both languages, the same facts in both, no code raised that is not in it."""

from __future__ import annotations

import ast
import string
from pathlib import Path

import edge
from edge.domain.reasons import REASONS, sentence

RAISERS = {
    "ExamroomError", "BadInput", "ConfigError", "NotSignedIn", "Refused", "NotFound", "Conflict", "TooMany",
    "Unavailable", "VerificationFailed", "Decision", "Wrong", "words", "Fault",
}  # fmt: skip


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_say_it_with_the_same_facts() -> None:
    for reason in REASONS.values():
        assert reason.zh.strip() and reason.en.strip(), reason.code
        assert fields(reason.zh) == fields(reason.en), reason.code
        assert any("\u4e00" <= c <= "\u9fff" for c in reason.zh), reason.code


def codes_in(file: Path) -> set[str]:
    """String constants given first (or as `reason`) to one of our errors or decisions."""
    found: set[str] = set()
    for call in (n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Call)):
        name = getattr(call.func, "id", getattr(call.func, "attr", ""))
        if name in RAISERS and call.args:
            place = call.args[1] if name == "Decision" and len(call.args) > 1 else call.args[0]
            if isinstance(place, ast.Constant) and isinstance(place.value, str):
                found.add(place.value)
    return found


def test_every_code_raised_is_in_the_catalogue() -> None:
    raised = {code: file for file in Path(edge.__file__).parent.rglob("*.py") for code in codes_in(file)}
    assert len(raised) > 100
    assert {code: str(file) for code, file in raised.items() if code not in REASONS} == {}


def test_a_missing_fact_shows_its_name() -> None:
    assert "{seat}" in sentence("welcome", "zh")
