"""Ten thousand hostile requests, made up anew in each run: no fault, and nobody's rows changed but one's own.

By the interface's description, as bytes that are no HTTP, and as sequences of a tablet's operations.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bench.hostile import Caller, Yard, at_rest, callers, memory_kb, still_serves, wrongly_changed, yard
from bench.hostile_requests import Request, made_up, noise, play, raw_requests, send, send_raw, sequences
from bench.measured import record
from edge.store.ledger import check

GROUPS: dict[str, tuple[list[str], int]] = {
    "nobody": (["nobody"], 2000),
    "candidate": (["candidate"], 3500),
    "elsewhere": (["other-proctor", "other-examiner", "other-technician", "technician"], 1600),
    "looks": (["other-supervisor", "supervisor"], 800),
    "examiner": (["examiner"], 800),
    "proctor": (["proctor"], 800),
}
NOISE = 1500
SEQUENCES = 400
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
        _sequences(place, everybody["candidate"])
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
                "sent": place.count.sent,
                "raw": place.count.raw,
                "refused": place.count.refused,
                "faults": place.count.faults,
                "rows_of_others_changed": place.count.changed,
                "ledger_entries": size,
                "memory_grown_kb": grown,
                "seconds": round(time.monotonic() - began),
            },
        )
    assert place.count.sent >= 10_000
    assert place.count.faults == 0
    assert place.count.changed == 0
    assert grown < GROWTH_KB


def _noise(place: Yard, everybody: dict[str, Caller]) -> None:
    at_rest(place)

    @settings(ANEW, max_examples=NOISE)
    @given(sent=noise(place))
    def run(sent: bytes) -> None:
        send_raw(place, "noise", sent, 0.5)

    run()
    _look(place, "noise", everybody["nobody"])


def _sequences(place: Yard, candidate: Caller) -> None:
    at_rest(place)

    @settings(ANEW, max_examples=SEQUENCES)
    @given(sequence=sequences(place))
    def run(sequence: list[Request]) -> None:
        play(place, candidate, sequence)

    run()
    _look(place, "sequences", candidate)
    still_serves(place)


def _look(place: Yard, who: str, caller: Caller) -> None:
    """What has changed and must not have, said and counted; the rest of the run goes on."""
    for table, row in wrongly_changed(place, caller.may)[:3]:
        print(f"{who} changed {table}: {row}")


def _group(place: Yard, everybody: dict[str, Caller], name: str, names: list[str], examples: int) -> None:
    at_rest(place)

    @settings(ANEW, max_examples=examples)
    @given(request=made_up(place), who=st.sampled_from(names))
    def run(request: Request, who: str) -> None:
        send(place, everybody[who], request)

    run()
    _look(place, name, everybody[names[0]])
