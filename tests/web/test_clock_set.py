"""A session whose clock was set while it went on is looked at as any other: each part of it, and nothing between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from edge.config import parse_config
from edge.store import access, ledger
from edge.store.db import transaction
from edge.web.app import create_app
from edge.web.body import csrf_of
from support.clocked import MINUTE, ClockedSession
from support.rooms import DeskRoom, make_desk_room
from support.serving import SUPERVISOR, said
from support.timed import HeldTime

DAY = 24 * 60 * MINUTE
T = 1_780_000_020_000


class Site:
    """The door opens by a clock that is a day fast; three minutes later it is put right, and it goes on for twenty."""

    def __init__(self, folder: Path, time: HeldTime) -> None:
        made = make_desk_room(folder)
        paths = made.config.paths.model_dump(mode="json")
        config = parse_config({"paths": paths, "camera": {"door": {}}})
        self.session = ClockedSession(DeskRoom(config, made.db, made.session), time)
        self.session.opens()
        self.session.films(3)
        self.session.is_set(-DAY, "door")
        self.session.films(20)
        self.app = create_app(config)
        self.client, self.head = self._signed_in()

    def _signed_in(self) -> tuple[FlaskClient, dict[str, str]]:
        client = self.app.test_client()
        client.post("/staff/login", data={"badge": SUPERVISOR.badge, "pin": SUPERVISOR.pin, "next": ""})
        cookie = client.get_cookie("examroom_staff")
        assert cookie is not None
        return client, {"X-CSRF": csrf_of(cookie.value)}

    def timeline(self, **asked: int) -> Any:
        return self.client.get(f"/spotcheck/api/{self.session.desk.session}/timeline", query_string=asked).json

    def view(self, since: int, until: int) -> Any:
        body = {"cameras": ["door"], "from": since, "until": until, "why": "家属申诉"}
        return self.client.post(f"/spotcheck/api/{self.session.desk.session}/views", json=body, headers=self.head)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    made = Site(tmp_path, HeldTime(wall=T + DAY).hold(monkeypatch))
    yield made
    made.app.extensions["examroom"].journal.close()
    made.session.desk.db.close()


@pytest.mark.parametrize("closed", [False, True])
def test_each_part_is_looked_at_and_nothing_between(site: Site, closed: bool) -> None:
    if closed:
        site.session.closes()
    right, fast = T + 10 * MINUTE, T + DAY + MINUTE
    assert site.view(right, right + MINUTE).status_code == 200
    assert site.view(fast, fast + MINUTE).status_code == 200
    refused = site.view(T + DAY // 2, T + DAY // 2 + MINUTE)
    assert said(refused) == "span_outside"


def test_the_timeline_is_of_the_part_that_was_asked_for(site: Site) -> None:
    site.session.closes()
    parts = [((one["from_ms"] - T) // MINUTE, (one["until_ms"] - T) // MINUTE) for one in site.timeline()["parts"]]
    assert parts == [(3, 23), (DAY // MINUTE, DAY // MINUTE + 3)]
    for asked, begin, long in (({}, T + 3 * MINUTE, 20), ({"at": T + DAY + MINUTE}, T + DAY, 3), ({"at": 5}, T, 20)):
        found = site.timeline(**asked)
        assert abs(found["from_ms"] - begin) <= 3 * MINUTE
        assert found["until_ms"] - found["from_ms"] == pytest.approx(long * MINUTE, abs=15_000)
        (door,) = found["cameras"]
        assert len([one for one in door["segments"] if one["id"]]) == long
        assert all(gap["ms"] < 6000 for gap in door["gaps"]), "but for before it opened and after its close"
        shown = [one["shown"] for one in found["parts"]]
        assert shown == [long == 20, long == 3]


def test_who_looked_without_naming_the_session_is_found_in_each_part(site: Site) -> None:
    site.session.closes()
    db, name = site.session.desk.db, site.session.desk.session
    with transaction(db):
        for start in (T + 10 * MINUTE, T + DAY, T + DAY // 2):
            body = {"cameras": ["door"], "from_ms": start, "until_ms": start + MINUTE}
            ledger.append(db, "footage_searched", body, by="S-001")
    found = [one.from_ms for one in access.looks(db, name) if one.kind == "footage_searched"]
    assert sorted(found) == [T + 10 * MINUTE, T + DAY]
