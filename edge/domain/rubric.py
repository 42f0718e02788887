"""Score sheets: what an examiner's marks are worth, and what two examiners' sheets come to together.

Integers in hundredths of a point, milliseconds for time, decimals for what was measured. A rubric here is the plain
document that `edge.bank.model.Rubric` has checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from edge.domain.keys import decimal_of
from edge.domain.scoring import Score
from edge.errors import Wrong

MINUTE_MS = 60_000


@dataclass(frozen=True)
class Marks:
    """What an examiner put down for one candidate.

    `counts`: deduction id -> how often. `measured`: measure id -> the value as written. `step_ms`: step id -> time the
    step took. `elapsed_ms`: the whole work, None when nobody timed it.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    vetoes: frozenset[str] = frozenset()
    measured: Mapping[str, str] = field(default_factory=dict)
    step_ms: Mapping[str, int] = field(default_factory=dict)
    elapsed_ms: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What a sheet comes to. `vetoed` by an item, a measured value or time; `why` names what took points or vetoed."""

    score: Score
    vetoed: bool
    steps: Mapping[str, int]
    why: tuple[str, ...] = ()

    def passes(self, percent: int) -> bool:
        return not self.vetoed and self.score.passes(percent)


def rubric_score(rubric: Mapping[str, Any], marks: Mapping[str, int], vetoes: Iterable[str]) -> Score:
    """The score of deductions and veto items alone."""
    return evaluate(rubric, Marks(marks, frozenset(vetoes))).score


def evaluate(rubric: Mapping[str, Any], marks: Marks) -> Outcome:
    """Each step's points less its deductions, never below zero; then the sheet's overtime; any veto makes it zero.

    ValueError for an id the rubric does not have, or a measured value that is not a number.
    """
    _check_ids(rubric, marks)
    steps: dict[str, int] = {}
    why: list[str] = [f"veto:{veto}" for veto in sorted(marks.vetoes)]
    vetoed = bool(marks.vetoes)
    for step in rubric["steps"]:
        points, reasons, step_vetoed = _step(step, marks)
        steps[step["id"]] = points
        why += reasons
        vetoed = vetoed or step_vetoed
    full = sum(step["points"] for step in rubric["steps"]) * 100
    total = sum(steps.values())
    if rubric.get("over") and marks.elapsed_ms is not None:
        lost = overtime(rubric["over"], rubric["minutes"], marks.elapsed_ms)
        if lost == "veto":
            vetoed = True
        total = 0 if isinstance(lost, str) else max(0, total - lost)
        if lost:
            why.append("time:sheet")
    return Outcome(Score(0 if vetoed else total, full), vetoed, steps, tuple(why))


def _check_ids(rubric: Mapping[str, Any], marks: Marks) -> None:
    steps = rubric["steps"]
    known = {
        "deduction": {d["id"] for step in steps for d in step["deductions"]},
        "veto": {veto["id"] for veto in rubric["vetoes"]},
        "measure": {m["id"] for step in steps for m in step.get("measures", ())},
        "step": {step["id"] for step in steps},
    }
    given = (("deduction", marks.counts), ("veto", marks.vetoes), ("measure", marks.measured), ("step", marks.step_ms))
    unknown = sorted(one for kind, ids in given for one in ids if one not in known[kind])
    if unknown:
        raise Wrong("marks_unknown", ids=", ".join(unknown))
    if any(count < 0 for count in marks.counts.values()):
        raise Wrong("marks_negative")


def _step(step: Mapping[str, Any], marks: Marks) -> tuple[int, list[str], bool]:
    """(hundredths left, what took points, whether it vetoes the sheet)."""
    points, reasons, vetoed = step["points"] * 100, [], False
    for deduction in step["deductions"]:
        if count := marks.counts.get(deduction["id"], 0):
            points -= deduction["points"] * 100 * count
            reasons.append(f"deduction:{deduction['id']}")
    losses: list[tuple[str, int | str]] = []
    for measure in step.get("measures", ()):
        if measure["id"] in marks.measured:
            losses.append((f"measure:{measure['id']}", measured_loss(measure, marks.measured[measure["id"]])))
    if step.get("over") and step.get("minutes") and step["id"] in marks.step_ms:
        losses.append((f"time:{step['id']}", overtime(step["over"], step["minutes"], marks.step_ms[step["id"]])))
    for name, loss in losses:
        if not loss:
            continue
        reasons.append(name)
        vetoed = vetoed or loss == "veto"
        points = 0 if isinstance(loss, str) else points - loss
    return max(0, points), reasons, vetoed


def number(text: str) -> Decimal:
    """A measured value as written, read as a number in a blank is. Wrong when it is none, or 10^9 and more."""
    value = decimal_of(text)
    if value is None or abs(value) >= 10**9:
        raise Wrong("marks_number", given=text[:20])
    return value


def measured_loss(measure: Mapping[str, Any], text: str) -> int | str:
    """Hundredths a measured value costs; "zero" when its step is worth nothing then, "veto" when the sheet is.

    The first band, narrowest first, whose `within` is not less than the distance to the target counts.
    """
    distance = abs(number(text) - Decimal(measure["target"]))
    for band in measure["bands"]:
        if distance <= Decimal(band["within"]):
            if band.get("points") is not None:
                return int((measure["points"] - band["points"]) * 100)
            return int(band["deduct"] * 100)
    beyond = measure["beyond"]
    return beyond if isinstance(beyond, str) else int(beyond * 100)


def overtime(rule: Mapping[str, Any], minutes: int, taken_ms: int) -> int | str:
    """Hundredths for each started minute over, at most `most` points; past `end_after` minutes over, `then`."""
    over = taken_ms - minutes * MINUTE_MS
    if over <= 0:
        return 0
    if rule.get("end_after") is not None and over > rule["end_after"] * MINUTE_MS:
        return str(rule["then"])
    lost = -(-over // MINUTE_MS) * rule["per_minute"] * 100
    return int(lost if rule.get("most") is None else min(lost, rule["most"] * 100))


def missing(rubric: Mapping[str, Any], marks: Marks) -> list[str]:
    """What a sheet still lacks before it can be signed: ids of values to measure; nothing once it is vetoed."""
    if marks.vetoes:
        return []
    wanted = [m["id"] for s in rubric["steps"] for m in s.get("measures", ()) if m.get("required", True)]
    return [one for one in wanted if one not in marks.measured]


def step_times(stamps: Mapping[str, int], order: Sequence[str]) -> dict[str, int]:
    """How long each finished step took: from the step finished before it, or the start, to its own end.

    `stamps` are elapsed milliseconds of the candidate's clock at the end of each step.
    """
    times: dict[str, int] = {}
    last = 0
    for step in sorted(stamps, key=lambda one: (stamps[one], order.index(one))):
        times[step] = max(0, stamps[step] - last)
        last = max(last, stamps[step])
    return times


@dataclass(frozen=True)
class Settled:
    """What the sheets of one candidate come to: `waiting`, `settled` or `disputed`, with points when settled.

    `why` of a dispute: `veto`, `pass` or `difference`.
    """

    state: str
    points: int | None = None
    vetoed: bool = False
    why: str = ""


def settle(sheets: Sequence[tuple[int, bool]], full: int, examiners: int, max_difference: int, percent: int) -> Settled:
    """The rule for two examiners. `sheets` are (points, vetoed), `max_difference` per cent of `full`.

    One says veto and the other not, one passes and the other fails, or they are further apart than allowed: disputed.
    Otherwise the mean counts, rounded down to a hundredth: the second decimal is never given away. `percent` is what
    passes. The order of the sheets makes no difference.
    """
    if len(sheets) < examiners:
        return Settled("waiting")
    sheets = sheets[:examiners]
    points = [worth for worth, _ in sheets]
    vetoes = {vetoed for _, vetoed in sheets}
    if len(vetoes) > 1:
        return Settled("disputed", why="veto")
    vetoed = vetoes == {True}
    if len({not veto and Score(worth, full).passes(percent) for worth, veto in sheets}) > 1:
        return Settled("disputed", why="pass")
    if (max(points) - min(points)) * 100 > max_difference * full:
        return Settled("disputed", why="difference")
    return Settled("settled", sum(points) // len(points), vetoed)
