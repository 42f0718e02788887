"""What is wrong with a roster and its photographs: all of it, each with its row, cell or file, before anything is
stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edge.domain.reasons import LANGUAGES, bare, sentence
from edge.errors import BadInput

_WHOLE = ("roster_broken", "roster_unreadable", "photos_unreadable")
"""Reasons that say by themselves that nothing was imported."""
Severity = Literal["error", "warning", "mended"]
MOST = 5000
"""So many errors, and so many notes, are told one by one; of a file that is wrong all over the rest is counted."""


@dataclass(frozen=True)
class Problem:
    """`where`: a sheet's row or cell, or a file of the photo archive. Never what stands there: it may be a person's."""

    where: str
    code: str
    facts: Mapping[str, object]
    severity: Severity = "error"
    row: int | None = None

    def sentence(self, language: str) -> str:
        return sentence(self.code, language, **self.facts)

    def as_json(self) -> dict[str, object]:
        told = {language: self.sentence(language) for language in LANGUAGES}
        return {"severity": self.severity, "where": self.where, "row": self.row, "code": self.code, **told}


class RosterProblems(BadInput):
    """`problems` are all that are told, of `count` errors; the sentence is the only one's, or says how many there
    are."""

    def __init__(self, problems: list[Problem], count: int) -> None:
        self.problems = problems
        errors = [one for one in problems if one.severity == "error"]
        first = errors[0]
        if first.code in _WHOLE:
            code, facts = first.code, dict(first.facts)
        else:
            told = {language: bare(first.sentence(language)) for language in LANGUAGES}
            code, facts = "roster_broken", {"where": first.where, "detail": told}
        super().__init__(code if count == 1 else "roster_problems", **facts, count=count)


@dataclass
class Problems:
    """Collected in the order they are found; errors (`count`) and notes are counted apart, so that neither hides the
    other."""

    found: list[Problem] = field(default_factory=list)
    count: int = 0
    _notes: int = 0

    def add(
        self,
        where: str,
        code: str,
        facts: Mapping[str, object] | None = None,
        *,
        severity: Severity = "error",
        row: int | None = None,
    ) -> None:
        if severity == "error":
            self.count += 1
        else:
            self._notes += 1
        if (self.count if severity == "error" else self._notes) <= MOST:
            self.found.append(Problem(where, code, facts or {}, severity, row))

    def take(self, error: BadInput, row: int | None = None) -> None:
        """One that was raised, as `roster_broken` with its place."""
        self.add(str(error.facts.get("where", "-")), error.code, dict(error.facts), row=row)

    def told(self) -> list[Problem]:
        """All that is told one by one, and how many more there are."""
        more: list[Problem] = []
        if self.count > MOST:
            more.append(Problem("-", "roster_more_errors", {"count": self.count - MOST}))
        if self._notes > MOST:
            more.append(Problem("-", "roster_more_notes", {"count": self._notes - MOST}, "warning"))
        return self.found + more

    def errors(self) -> bool:
        return self.count > 0

    def need_none(self) -> None:
        """RosterProblems with everything found, where any of it is an error."""
        if self.errors():
            raise RosterProblems(self.told(), self.count)
