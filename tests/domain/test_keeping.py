"""What keeps footage, against the rule said the plain way; and how long a disk will do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.keeping import (
    DAY_MS,
    MARGIN_MS,
    OPEN_END,
    Forecast,
    Kept,
    Stretch,
    Term,
    Why,
    due,
    forecast,
    kept_by,
    spare,
)
from edge.domain.walltime import Run, Showing, When

NOW = 400 * DAY_MS
TERM = Term("S-1", "一班", NOW - 200 * DAY_MS, NOW - 199 * DAY_MS, True, True, False, NOW - 100 * DAY_MS, 180)


@pytest.mark.parametrize(
    ("change", "date", "why"),
    [
        ({}, NOW - 19 * DAY_MS, Why.POLICY),
        ({"keep_days": 30}, NOW - 169 * DAY_MS, Why.POLICY),
        ({"keep_days": 365}, NOW + 166 * DAY_MS, Why.POLICY),
        ({"purge_ms": NOW + DAY_MS}, NOW - 19 * DAY_MS, Why.POLICY),  # the roster's date is that of names
        ({"inspected": False}, None, Why.UNINSPECTED),
        ({"signed": False}, None, Why.UNSIGNED),
        ({"signed": False, "inspected": False, "closed_ms": None}, None, Why.RUNNING),
        ({"practice": True, "signed": False, "inspected": False}, NOW - 100 * DAY_MS, Why.PRACTICE),
    ],
)
def test_until_when_a_session_keeps_its_footage(change: dict[str, object], date: int | None, why: Why) -> None:
    term = replace(TERM, **change)  # type: ignore[arg-type]
    kept = kept_by(term, when(term.opened_ms, term.closed_ms))
    assert (kept.date_ms, kept.why) == (date, why)
    until = OPEN_END if term.closed_ms is None else term.closed_ms + MARGIN_MS
    assert kept.spans == ((term.opened_ms - MARGIN_MS, until),)


def test_a_session_whose_clock_was_set_back_keeps_what_each_setting_showed_and_what_is_to_come() -> None:
    fast, right = Showing(NOW + DAY_MS, NOW + DAY_MS, NOW + DAY_MS + 60_000), Showing(NOW, NOW, NOW + 3_600_000)
    running = kept_by(replace(TERM, closed_ms=None), When((fast, right), True, Run(7, 1 << 62, ())))
    assert running.spans == ((NOW - MARGIN_MS, OPEN_END),) and running.run == Run(7, 1 << 62, ())
    closed = kept_by(TERM, When((fast, right), False, Run(7, 99, ())))
    assert closed.spans == (
        (NOW - MARGIN_MS, NOW + 3_600_000 + MARGIN_MS),
        (NOW + DAY_MS - MARGIN_MS, NOW + DAY_MS + 60_000 + MARGIN_MS),
    )
    ahead = kept_by(replace(TERM, closed_ms=None), When((right, fast), True))
    assert ahead.spans == (
        (NOW - MARGIN_MS, NOW + 3_600_000 + MARGIN_MS),
        (NOW + DAY_MS - MARGIN_MS, OPEN_END),
    ), "the day in between is nobody's: a clock that was wrong for a moment does not fill the disk"


def when(opened_ms: int, closed_ms: int | None) -> When:
    end = NOW if closed_ms is None else closed_ms
    return When((Showing(opened_ms, opened_ms, end),), closed_ms is None)


def goes(start: int, end: int, kept: list[Kept], now: int, keep: int) -> bool:
    """The rule as one would say it."""
    mine = [one for one in kept if one.camera in (None, "door") and one.touches(start, end)]
    if any(one.date_ms is None or one.date_ms > now for one in mine):
        return False
    return any(one.why is Why.POLICY for one in mine) or end < now - keep


def taken(start: int, end: int, stretches: list[Stretch]) -> int:
    return sum(
        start > one.after_ms and end < one.before_ms and end >= one.from_ms and start <= one.until_ms
        for one in stretches
    )


@st.composite
def keepers(draw: st.DrawFn) -> Kept:
    starts = draw(st.lists(st.integers(0, 90), min_size=1, max_size=3))
    spans = tuple((start, start + draw(st.integers(0, 30))) for start in starts)
    why = draw(st.sampled_from([Why.POLICY, Why.PRACTICE, Why.UNINSPECTED, Why.HELD]))
    date = draw(st.integers(0, 120)) if why in (Why.POLICY, Why.PRACTICE) else None
    camera = draw(st.sampled_from([None, "door", "hall"])) if why is Why.HELD else None
    return Kept(spans, date, why, None, camera)


@given(st.lists(keepers(), max_size=6), st.integers(30, 100), st.integers(1, 60), st.integers(0, 99), st.integers(0, 9))
def test_what_is_due_is_what_the_rule_says(kept: list[Kept], now: int, keep: int, start: int, length: int) -> None:
    end = start + length
    assert taken(start, end, due(kept, "door", now, keep)) == goes(start, end, kept, now, keep)
    assert taken(start, end, spare(kept, "door", now, keep)) == goes(start, end, kept, now, keep)


def test_what_goes_for_space_is_two_hours_old_and_of_no_session() -> None:
    term = replace(TERM, opened_ms=NOW - 5 * DAY_MS, closed_ms=NOW - 4 * DAY_MS)
    kept = [kept_by(term, when(term.opened_ms, term.closed_ms))]
    stretches = spare(kept, "door", NOW, 90 * DAY_MS)
    hour = DAY_MS // 24
    times = (NOW - 6 * DAY_MS, NOW - 5 * DAY_MS, NOW - 2 * DAY_MS, NOW - 4 * hour, NOW - 3 * hour, NOW - hour)
    assert [taken(at, at + hour, stretches) for at in times] == [1, 0, 1, 1, 0, 0]


def ahead(**change: object) -> Forecast:
    facts = {
        "capacity": 100, "free": 40, "day_bytes": 10, "kept": [(None, 30), (NOW + 3 * DAY_MS, 30)],
        "session_day_bytes": 0, "session_days": 180,
    }  # fmt: skip
    return forecast(NOW, **(facts | change))  # type: ignore[arg-type]


def test_a_forecast() -> None:
    assert ahead() == Forecast(None, 4.0, NOW + 4 * DAY_MS)
    assert ahead(kept=[(None, 101)]).full_ms == NOW
    assert ahead(session_day_bytes=5).full_ms == NOW + 15 * DAY_MS, "30 for good and 5 a day"
    assert ahead(session_day_bytes=5, day_bytes=60).full_ms == NOW + 14 * DAY_MS, "and two hours to record"
    assert ahead(session_day_bytes=5, session_days=3).full_ms is None, "what is added goes again"
    assert ahead(day_bytes=0) == Forecast(None, None, None)
    assert ahead(kept=[(NOW - 1, 101)]).full_ms is None
