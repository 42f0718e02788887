"""What the verifier says: yes, or no with the part, the second and the entry, in both languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from edge.domain.reasons import sentence
from edge.errors import ExamroomError
from edge.trust.evidence_format import Part

Kind = Literal["evidence", "result", "receipt", "bundle", "certificate", "policy", "completeness"]
MOST = 50


@dataclass(frozen=True)
class Problem:
    """One thing that does not hold. `second` counts from the clip's start, `seq` is a ledger number."""

    reason: str
    part: Part | None
    facts: Mapping[str, object] = field(default_factory=dict)
    second: float | None = None
    seq: int | None = None

    def sentence(self, language: str = "zh") -> str:
        return sentence(self.reason, language, **self.facts)

    def as_json(self) -> dict[str, Any]:
        return {
            "reason": self.reason,
            "part": self.part and self.part.value,
            "second": self.second,
            "seq": self.seq,
            "facts": dict(self.facts),
            "zh": self.sentence("zh"),
            "en": self.sentence("en"),
        }


@dataclass(frozen=True)
class Verdict:
    """The answer about one file.

    `ok`: everything holds. `kind`: what the file is, None where that cannot be told. `reason`, `part`, `second`, `seq`
    and `facts`: of the first problem; where there is none, `facts` are what the file proves. `details`: all problems,
    at most 50, the first of them first.
    """

    ok: bool
    kind: Kind | None
    reason: str | None
    facts: Mapping[str, object]
    part: str | None = None
    second: float | None = None
    seq: int | None = None
    details: tuple[Problem, ...] = ()

    def sentence(self, language: str = "zh") -> str:
        return sentence(self.reason or f"verified_{self.kind}", language, **self.facts)

    def as_json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "kind": self.kind,
            "reason": self.reason,
            "part": self.part,
            "second": self.second,
            "seq": self.seq,
            "facts": dict(self.facts),
            "zh": self.sentence("zh"),
            "en": self.sentence("en"),
            "problems": [problem.as_json() for problem in self.details],
        }


def verified(kind: Kind, facts: Mapping[str, object]) -> Verdict:
    return Verdict(True, kind, None, facts)


def refused(kind: Kind | None, problems: Sequence[Problem]) -> Verdict:
    """The verdict of at least one problem; the first gives its name."""
    first = problems[0]
    part = first.part.value if first.part else None
    return Verdict(False, kind, first.reason, first.facts, part, first.second, first.seq, tuple(problems[:MOST]))


def problem_of(error: ExamroomError, part: Part) -> Problem:
    return Problem(error.code, part, dict(error.facts))


def printable(text: object) -> str:
    """A fact out of an untrusted file, safe to print: no control characters, at most 80 characters."""
    return "".join(c if c.isprintable() else "?" for c in str(text)[:80])
