"""Answers delivered twice, late and out of order, over real HTTP with real kills: each is applied once, in order.

Hypothesis plays a bad network between one tablet and the room: it delivers any operation the tablet has made, any
number of times, in any order, kills `web` in between, and holds the room to a model that knows only the rules.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from edge.store import journal
from edge.store.db import connect
from support.rooms import DeskRoom, make_desk_room
from support.serving import Service, answers, free_port, open_exam, serving, until

SEATS = 70
EXAMPLES = 30
STEPS = 25


@dataclass
class World:
    """The running room, and the seats nobody has taken yet."""

    room: DeskRoom
    web: Service
    base: str
    codes: list[str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("delivery")
    room = make_desk_room(folder, size=SEATS, web={"port": free_port(), "threads": 16})
    with serving(room, folder) as (web, base):
        proctor, codes = open_exam(base, room.session)
        proctor.close()
        yield World(room, web, base, codes)
    room.db.close()


@dataclass
class Made:
    """An operation the tablet has made, and what it was told of it."""

    body: dict[str, Any]
    path: str
    told: dict[str, Any] | None = None


@dataclass
class Model:
    """What must be true, from the rules alone."""

    next_seq: int = 1
    versions: dict[str, int] = field(default_factory=dict)
    values: dict[str, list[str]] = field(default_factory=dict)
    handed_in: bool = False

    def expect(self, made: Made) -> str:
        """The outcome or the refusal that delivering `made` must have now."""
        if made.told is not None:
            return str(made.told["outcome"])
        if made.body["seq"] != self.next_seq:
            return "sequence_wrong"
        if self.handed_in:
            return "late"
        if made.path == "handin":
            return "applied"
        return "applied" if made.body["base_version"] == self.versions.get(made.body["item"], 0) else "stale"

    def take(self, made: Made, outcome: str) -> None:
        self.next_seq += 1
        if outcome == "applied" and made.path == "handin":
            self.handed_in = True
        elif outcome == "applied":
            item = made.body["item"]
            self.versions[item] = self.versions.get(item, 0) + 1
            self.values[item] = made.body["value"]


def machine_of(world: World) -> type[RuleBasedStateMachine]:
    class Delivery(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.http = requests.Session()
            self.model = Model()
            self.made: list[Made] = []
            self.items: list[str] = []
            self.headers: dict[str, str] = {}
            self.attempt = ""

        @initialize()
        def sit_down(self) -> None:
            code = world.codes.pop()
            claim = {"seat_code": code, "claim": uuid.uuid4().hex}
            facts = self.http.post(f"{world.base}/exam/api/claim", json=claim, timeout=10).json()
            self.headers, self.attempt = {"X-CSRF": facts["csrf"]}, facts["attempt"]
            paper = self.http.get(f"{world.base}/exam/api/paper", timeout=10).json()
            self.items = [i["id"] for p in paper["parts"] for i in p["items"] if i["type"] == "single"][:2]
            assert paper["next_seq"] == 1

        @rule(at=st.integers(0, 1), letter=st.sampled_from("AB"), seq=st.integers(-1, 2), base=st.integers(-1, 1))
        def answer(self, at: int, letter: str, seq: int, base: int) -> None:
            """Mostly the next in order; sometimes a number that skips, repeats or lies about the version."""
            item = self.items[at]
            body = {
                "op_id": str(uuid.uuid4()),
                "seq": max(1, self.model.next_seq + seq),
                "item": item,
                "base_version": max(0, self.model.versions.get(item, 0) + base),
                "value": [letter],
            }
            self.made.append(Made(body, "answers"))

        @rule()
        def hand_in(self) -> None:
            self.made.append(Made({"op_id": str(uuid.uuid4()), "seq": self.model.next_seq}, "handin"))

        @precondition(lambda self: self.made)
        @rule(data=st.data(), times=st.integers(1, 3))
        def deliver(self, data: st.DataObject, times: int) -> None:
            made = data.draw(st.sampled_from(self.made))
            for _ in range(times):
                self._deliver(made)

        @precondition(lambda self: len(self.made) > 1)
        @rule(data=st.data())
        def deliver_all_in_any_order(self, data: st.DataObject) -> None:
            for made in data.draw(st.permutations(self.made)):
                self._deliver(made)

        @precondition(lambda self: self.made)
        @rule(data=st.data())
        def the_same_number_for_something_else(self, data: st.DataObject) -> None:
            """An operation id that was used is never taken for another operation."""
            made = data.draw(st.sampled_from(self.made))
            if made.told is None or made.path != "answers":
                return
            body = {**made.body, "value": ["B" if made.body["value"] == ["A"] else "A"]}
            told = self._post(made.path, body)
            assert (told.status_code, told.json()["error"]) == (409, "op_id_reused")

        @precondition(lambda self: any(made.told for made in self.made))
        @rule(really=st.integers(0, 9))
        def web_is_killed(self, really: int) -> None:
            if really:
                return  # starting takes a second: one in ten is enough
            world.web.kill()
            world.web.start()
            until(lambda: answers(world.base), 30, "web is back")

        @invariant()
        def the_store_agrees(self) -> None:
            if not self.attempt:
                return
            connection = connect(world.room.config.paths.answers_db)
            try:
                ops = journal.find_ops(connection, self.attempt)
                standing = journal.responses(connection, self.attempt)
            finally:
                connection.close()
            assert [op["tablet_seq"] for op in ops] == list(range(1, self.model.next_seq))
            for item in self.items:
                applied = [op["version"] for op in ops if op["item_id"] == item and op["outcome"] == "applied"]
                assert applied == list(range(1, self.model.versions.get(item, 0) + 1))
            assert {i: (r.version, r.value) for i, r in standing.items()} == {
                i: (self.model.versions[i], value) for i, value in self.model.values.items()
            }

        def teardown(self) -> None:
            self.http.close()

        def _post(self, path: str, body: dict[str, Any]) -> requests.Response:
            return self.http.post(f"{world.base}/exam/api/{path}", json=body, headers=self.headers, timeout=10)

        def _deliver(self, made: Made) -> None:
            expected = self.model.expect(made)
            answer = self._post(made.path, made.body)
            told = answer.json()
            if answer.status_code == 200:
                assert told["outcome"] == expected
                if made.told is None:
                    made.told = told
                    self.model.take(made, expected)
                else:
                    for name in ("op_id", "outcome", "version", "at_ms"):
                        assert told[name] == made.told[name], "the same operation is always answered the same"
            else:
                assert (answer.status_code, told["error"]) == (409, expected)

    return Delivery


def test_delivered_in_any_order_any_number_of_times_each_is_applied_once(world: World, tmp_path: Path) -> None:
    run_state_machine_as_test(
        machine_of(world),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
