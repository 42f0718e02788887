"""A store that another process holds: nothing that was tapped, touched or decided is lost, and no face is compared."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edge.demo.people import ASTRONAUT, HOPPER, badge_of
from edge.domain.consents import ONE_TO_ONE
from edge.domain.reasons import sentence
from edge.errors import Unavailable
from edge.hardware.badge import Tap
from edge.services import checkin as service
from edge.services.checkin import _step
from edge.store import checkins, ledger, people
from edge.store.db import connect, patience, transaction
from edge.store.status import read_statuses
from support.serving import until

from .conftest import Doorway, portrait


@contextmanager
def held(doorway: Doorway) -> Iterator[None]:
    """Another process is in the middle of a transaction."""
    other = connect(doorway.desk.config.paths.room_db)
    patience(doorway.desk.db, 1)
    try:
        with transaction(other):
            yield
    finally:
        other.close()


def reasons(doorway: Doorway) -> list[object]:
    return [entry.body["reason"] for entry in ledger.entries(doorway.desk.db, kinds=("checkin",))]


def test_taps_wait_for_the_store(doorway: Doorway) -> None:
    doorway.door.step(0)
    with held(doorway):
        for badge in ("ZZZZ9999", "ZZZZ9999", badge_of(3)):
            doorway.reader.taps.append(Tap(badge, None, 0))
            assert _step(doorway.door)
        assert doorway.kiosk.state == "ready"
    assert not _step(doorway.door)
    assert reasons(doorway) == ["badge_unknown", "no_template"]
    assert doorway.kiosk.reason == "no_template"


def test_a_decline_waits_for_the_store_and_nobody_is_compared_meanwhile(doorway: Doorway) -> None:
    doorway.tap(ASTRONAUT)
    with transaction(doorway.desk.db) as db:
        checkins.ask(db, "decline", doorway.kiosk.v)
    with held(doorway):
        for _ in range(4):
            doorway.show(portrait("astronaut"))
            assert _step(doorway.door)
        assert len(checkins.pending_acts(doorway.desk.db)) == 1
    doorway.door.step(0)
    assert (doorway.kiosk.state, doorway.kiosk.reason) == ("see_proctor", "face_declined")
    assert checkins.pending_acts(doorway.desk.db) == []
    assert doorway.who(ASTRONAUT).state == "waiting"


def test_a_decision_waits_for_the_store_and_stays_that_decision(doorway: Doorway) -> None:
    doorway.tap(HOPPER)
    with held(doorway):
        outcomes = []
        for _ in range(6):
            doorway.show(portrait("hopper"))
            outcomes.append(_step(doorway.door))
        assert outcomes[-1] and doorway.kiosk.state == "look"
    doorway.door.step(0)
    assert doorway.kiosk.state == "welcome"
    assert doorway.kiosk.facts["seat_code"] == doorway.who(HOPPER).seat_code
    assert reasons(doorway) == ["face_matched"]


def test_consent_waits_for_the_store(doorway: Doorway) -> None:
    person = doorway.who(HOPPER).person
    with transaction(doorway.desk.db) as db:
        db.execute("DELETE FROM consents WHERE person_id = ?", (person,))
    doorway.tap(HOPPER)
    assert doorway.kiosk.state == "consent"
    with transaction(doorway.desk.db) as db:
        checkins.ask(db, "consent", doorway.kiosk.v)
    with held(doorway), pytest.raises(Unavailable):
        doorway.door.step(0)
    assert people.consent(doorway.desk.db, person, ONE_TO_ONE) is None
    doorway.door.step(0)
    assert doorway.look(portrait("hopper")).state == "welcome"


def test_the_seat_code_is_shown_with_the_admission_or_there_is_none(
    doorway: Doorway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def died(*_args: object) -> checkins.KioskState:
        raise RuntimeError("killed")

    doorway.tap(HOPPER)
    with monkeypatch.context() as patch:
        patch.setattr("edge.checkin.sign.checkins.show", died)
        with pytest.raises(RuntimeError):
            doorway.look(portrait("hopper"))
    assert doorway.who(HOPPER).state == "expected"


def test_a_touch_for_somebody_else_does_nothing(doorway: Doorway) -> None:
    doorway.tap(ASTRONAUT)
    meant = doorway.kiosk.v
    with transaction(doorway.desk.db) as db:
        checkins.ask(db, "decline", meant)
    doorway.door._visit = None  # what a restart in between amounts to
    doorway.tap(HOPPER)
    assert checkins.pending_acts(doorway.desk.db) == []
    assert doorway.kiosk.state == "look"
    for number in (ASTRONAUT, HOPPER):
        assert people.consent(doorway.desk.db, doorway.who(number).person, ONE_TO_ONE) is True


def test_a_visit_cut_short_is_in_the_ledger_and_a_broken_frame_cuts_none(doorway: Doorway) -> None:
    doorway.tap(ASTRONAUT)
    doorway.reader.taps.append(Tap(None, "badge_frame_short", 0))
    doorway.door.step(0)
    assert doorway.kiosk.state == "look"
    doorway.tap(HOPPER)
    assert doorway.kiosk.facts["number"] == HOPPER
    with transaction(doorway.desk.db) as db:
        checkins.ask(db, "cancel", doorway.kiosk.v)
    doorway.door.step(0)
    assert doorway.kiosk.state == "ready"
    noted = ledger.entries(doorway.desk.db, kinds=("checkin",))
    assert [(e.body["reason"], e.subject) for e in noted] == [
        ("badge_frame_short", None),
        ("visit_left", doorway.who(ASTRONAUT).person),
        ("visit_left", doorway.who(HOPPER).person),
    ]


def test_a_reader_of_rubbish_fills_no_ledger_and_lets_the_door_be_ready(
    doorway: Doorway, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, seen = time.monotonic(), list[str]()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for _ in range(120):
        now += 0.05
        doorway.reader.taps.append(Tap(None, "badge_frame_broken", 0))
        doorway.door.step(0)
        seen.append(doorway.kiosk.state)
    noted = ledger.entries(doorway.desk.db, kinds=("checkin",))
    assert len(noted) == 3
    assert seen[0] == "try_again" and seen.count("ready") > 60


def test_a_clock_set_back_does_not_keep_old_words_on_the_kiosk(
    doorway: Doorway, monkeypatch: pytest.MonkeyPatch
) -> None:
    doorway.tap_badge("ZZZZ9999")
    assert doorway.kiosk.state == "refused"
    monkeypatch.setattr("edge.clock.wall_ms", lambda: doorway.kiosk.at_ms - 3_600_000)
    monkeypatch.setattr(doorway.door._sign, "_show_seconds", 0.0)
    doorway.door.step(0)
    assert doorway.kiosk.state == "ready"


def test_the_process_says_that_it_is_held_and_stops_at_once(doorway: Doorway, monkeypatch: pytest.MonkeyPatch) -> None:
    config, stop = doorway.desk.config, threading.Event()
    monkeypatch.setattr(service, "_load_pack", lambda _config: (None, None))
    with held(doorway):
        running = threading.Thread(target=service.run, args=(config, stop))
        running.start()
        until(lambda: read_statuses(config.paths.status).get("checkin", {}).get("held"), 10, "it says so")
        stop.set()
        running.join(5)
        assert not running.is_alive()
    said = read_statuses(config.paths.status)["checkin"]
    assert said["reason"] == "checkin_held" and "{" not in sentence("checkin_held", "zh")
