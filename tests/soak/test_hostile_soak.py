"""Ten thousand hostile requests, made up anew in each run: no fault, and nobody's rows changed but one's own."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bench.hostile import Caller, Yard, at_rest, callers, check_tables, memory_kb, still_serves, yard
from bench.hostile_requests import Request, made_up, noise, raw_requests, send, send_raw
from bench.measured import record
from edge.store.ledger import check

GROUPS: dict[str, tuple[list[str], int]] = {
    "nobody": (["nobody"], 2000),
    "candidate": (["candidate"], 3000),
    "elsewhere": (["other-proctor", "other-examiner", "other-technician", "technician"], 1600),
    "looks": (["other-supervisor", "supervisor"], 800),
    "examiner": (["examiner"], 800),
    "proctor": (["proctor"], 800),
}
NOISE = 1500
GROWTH_KB = 60_000
ANEW = settings(
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)

pytestmark = pytest.mark.soak


def test_ten_thousand_hostile_requests(tmp_path: Path) -> None:
    began = time.monotonic()
    with yard(tmp_path) as place:
        everybody = callers(place)
        for name, sent in raw_requests(place).items():
            send_raw(place, name, sent)
        memory = memory_kb(place)
        _noise(place, everybody)
        for name, (names, examples) in GROUPS.items():
            _group(place, everybody, name, names, examples)
            if name != "proctor":
                still_serves(place)
        grown = memory_kb(place) - memory
        assert "a request failed" not in place.web.said()
        size, _ = check(place.desk.db)
        record(
            "hostile",
            {
                "requests": place.count.requests,
                "raw": place.count.raw,
                "refused": place.count.refused,
                "faults": place.count.faults,
                "rows_of_others_changed": 0,  # else it would have stopped before
                "ledger_entries": size,
                "memory_grown_kb": grown,
                "seconds": round(time.monotonic() - began),
            },
        )
    assert place.count.requests >= 10_000
    assert place.count.faults == 0
    assert grown < GROWTH_KB


def _noise(place: Yard, everybody: dict[str, Caller]) -> None:
    at_rest(place)

    @settings(ANEW, max_examples=NOISE)
    @given(sent=noise(place))
    def run(sent: bytes) -> None:
        send_raw(place, "noise", sent, 0.5)

    run()
    check_tables(place, "noise", everybody["nobody"].may)


def _group(place: Yard, everybody: dict[str, Caller], name: str, names: list[str], examples: int) -> None:
    at_rest(place)

    @settings(ANEW, max_examples=examples)
    @given(request=made_up(place), who=st.sampled_from(names))
    def run(request: Request, who: str) -> None:
        send(place, everybody[who], request)

    run()
    check_tables(place, name, everybody[names[0]].may)
