"""Answers delivered twice, late and out of order, over real HTTP with real kills: each is applied once, in order.

Hypothesis plays a bad network between one candidate's tablets and the room: it delivers any operation they have made,
any number of times, in any order, several at once, moves the exam to another tablet, pauses it, kills `web` in between,
and holds the room to a model that knows only the rules.
"""

from __future__ import annotations

import copy
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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

from edge.domain.timing import LAG_MS
from edge.ops.desk import Person
from edge.ops.ports import free_port
from edge.ops.rehearsal.tally import Told, hold_against
from edge.store import journal
from edge.store.db import connect
from support.examples import examples
from support.rooms import DeskRoom, make_desk_room
from support.serving import Service, answers, open_exam, serving, until

SEATS = 70
EXAMPLES = examples(50)
STEPS = 25


@dataclass
class World:
    """The running room, and the seats nobody has taken yet: (code, person)."""

    room: DeskRoom
    web: Service
    base: str
    proctor: Person
    seats: list[tuple[str, str]]

    def act(self, act: str, person: str) -> None:
        self.proctor.post(f"/console/api/{self.room.session}/{act}", person=person, reason="测试")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("delivery")
    room = make_desk_room(folder, size=SEATS, web={"port": free_port(), "threads": 16})
    with serving(room, folder) as (web, base):
        proctor, _ = open_exam(base, room.session)
        tiles = proctor.get(f"/console/api/{room.session}/board")["seats"]
        yield World(room, web, base, proctor, [(t["seat_code"], t["person"]) for t in tiles if t.get("seat_code")])
        proctor.close()
    room.db.close()


@dataclass
class Hand:
    """One tablet at the seat."""

    cookies: dict[str, str]
    headers: dict[str, str]
    next_seq: int = 1
    released: bool = False


@dataclass
class Made:
    """An operation a tablet has made, and what it was told of it."""

    hand: Hand
    body: dict[str, Any]
    path: str
    told: dict[str, Any] | None = None


Said = tuple[int, str]
"""Status and outcome of an answer, or status and reason of a refusal."""


@dataclass
class Model:
    """What must be true, from the rules alone."""

    versions: dict[str, int] = field(default_factory=dict)
    values: dict[str, list[str]] = field(default_factory=dict)
    handed_in: bool = False

    def expect(self, made: Made) -> Said:
        """What delivering `made` must be answered with now."""
        if made.hand.released and made.path == "handin":
            return 403, "tablet_released"
        if made.told is not None:
            return 200, str(made.told["outcome"])
        if made.body["seq"] != made.hand.next_seq:
            return 409, "sequence_wrong"
        if self.handed_in:
            return 200, "late"
        if made.path == "handin":
            return 200, "applied"
        good = made.body["base_version"] == self.versions.get(made.body["item"], 0) and not made.hand.released
        return 200, "applied" if good else "stale"

    def take(self, made: Made, said: Said, told: dict[str, Any]) -> None:
        """`made` was answered for the first time."""
        if said[0] != 200 or made.told is not None:
            return
        made.told = told
        made.hand.next_seq += 1
        if said[1] == "applied" and made.path == "handin":
            self.handed_in = True
        elif said[1] == "applied":
            item = made.body["item"]
            self.versions[item] = self.versions.get(item, 0) + 1
            self.values[item] = made.body["value"]


def said(answer: requests.Response) -> Said:
    told = answer.json()
    return answer.status_code, str(told["outcome"] if answer.ok else told["error"])


def machine_of(world: World) -> type[RuleBasedStateMachine]:
    class Delivery(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.model = Model()
            self.made: list[Made] = []
            self.items: list[str] = []
            self.hands: list[Hand] = []
            self.attempt = ""
            self.paused = False
            self.since = 0.0

        @initialize()
        def sit_down(self) -> None:
            self.code, self.person = world.seats.pop()
            self._claim()
            paper = requests.get(f"{world.base}/exam/api/paper", cookies=self.hands[0].cookies, timeout=10).json()
            self.items = [i["id"] for p in paper["parts"] for i in p["items"] if i["type"] == "single"][:2]
            assert paper["next_seq"] == 1

        @rule(at=st.integers(0, 1), letter=st.sampled_from("AB"), seq=st.integers(-1, 2), base=st.integers(-1, 1))
        def answer(self, at: int, letter: str, seq: int, base: int) -> None:
            """Mostly the next in order; sometimes a number that skips, repeats or lies about the version."""
            item, hand = self.items[at], self.hands[-1]
            body = {
                "op_id": str(uuid.uuid4()),
                "seq": max(1, hand.next_seq + seq),
                "item": item,
                "base_version": max(0, self.model.versions.get(item, 0) + base),
                "value": [letter],
            }
            self.made.append(Made(hand, body, "answers"))

        @rule()
        def hand_in(self) -> None:
            hand = self.hands[-1]
            self.made.append(Made(hand, {"op_id": str(uuid.uuid4()), "seq": hand.next_seq}, "handin"))

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
        @rule(data=st.data(), times=st.integers(2, 4))
        def deliver_at_once(self, data: st.DataObject, times: int) -> None:
            """One operation on several connections at the same moment: one word for them all."""
            made = data.draw(st.sampled_from(self.made))
            expected = self.model.expect(made)
            found = self._at_once([made] * times)
            assert [said(answer) for answer in found] == [expected] * times
            if expected[0] == 200:
                told = found[0].json()
                for answer in found:
                    self._same(answer.json(), told)
                self.model.take(made, expected, told)

        @precondition(lambda self: len(self.made) > 1)
        @rule(data=st.data())
        def deliver_two_at_once(self, data: st.DataObject) -> None:
            """Two operations in flight, an answer beside a hand-in too: what comes of them is one of the two orders."""
            two = data.draw(st.permutations(self.made))[:2]
            found = self._at_once(two)
            for order in ((0, 1), (1, 0)):
                if self._would_say([two[at] for at in order]) == [said(found[at]) for at in order]:
                    for at in order:
                        self.model.take(two[at], said(found[at]), found[at].json())
                    return
            raise AssertionError(f"neither order gives {[said(answer) for answer in found]}")

        @precondition(lambda self: self.attempt and len(self.hands) < 3)
        @rule(really=st.integers(0, 3))
        def move_to_another_tablet(self, really: int) -> None:
            """What the old tablet still sends is kept and never applied."""
            if really == 0:
                world.act("release-tablet", self.person)
                self.hands[-1].released = True
                self._claim()

        @precondition(lambda self: self.attempt and not self.model.handed_in)
        @rule()
        def pause_or_resume(self) -> None:
            """A pause stops the time; what a tablet answers that cannot have heard of it yet is taken all the same."""
            self._turn()

        @precondition(lambda self: self.made)
        @rule(data=st.data())
        def the_same_number_for_something_else(self, data: st.DataObject) -> None:
            """An operation id that was used is never taken for another operation."""
            made = data.draw(st.sampled_from(self.made))
            if made.told is None or made.path != "answers":
                return
            body = {**made.body, "value": ["B" if made.body["value"] == ["A"] else "A"]}
            assert said(self._post(Made(made.hand, body, made.path))) == (409, "op_id_reused")

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
            told = {
                made.body["op_id"]: Told(
                    self.attempt,
                    made.body.get("item", ""),
                    tuple(made.body.get("value", ())),
                    made.told["outcome"],
                    made.told["version"],
                )
                for made in self.made
                if made.told is not None
            }
            connection = connect(world.room.config.paths.answers_db)
            try:
                ops = journal.find_ops(connection, self.attempt)
                standing = journal.responses(connection, self.attempt)
                wrong = hold_against(connection, told, told.keys())
            finally:
                connection.close()
            assert not wrong
            assert len(ops) == len(told) == sum(hand.next_seq - 1 for hand in self.hands)
            for item in self.items:
                applied = [op["version"] for op in ops if op["item_id"] == item and op["outcome"] == "applied"]
                assert applied == list(range(1, self.model.versions.get(item, 0) + 1))
            assert {i: (r.version, r.value) for i, r in standing.items()} == {
                i: (self.model.versions[i], value) for i, value in self.model.values.items()
            }

        def _claim(self) -> None:
            claim = {"seat_code": self.code, "claim": uuid.uuid4().hex}
            answer = requests.post(f"{world.base}/exam/api/claim", json=claim, timeout=10)
            facts = answer.json()
            self.attempt = facts["attempt"]
            self.hands.append(Hand(answer.cookies.get_dict(), {"X-CSRF": facts["csrf"]}))

        def _keep_pauses_short(self) -> None:
            """Whoever has been in reach for longer than LAG_MS of a pause knows of it: other tests' affair."""
            if self.paused and not self.model.handed_in and time.monotonic() - self.since > LAG_MS / 1000 / 4:
                self._turn()

        def _turn(self) -> None:
            world.act("resume" if self.paused else "pause", self.person)
            self.paused = not self.paused
            self.since = time.monotonic()

        def _post(self, made: Made) -> requests.Response:
            url, hand = f"{world.base}/exam/api/{made.path}", made.hand
            return requests.post(url, json=made.body, headers=hand.headers, cookies=hand.cookies, timeout=10)

        def _at_once(self, several: list[Made]) -> list[requests.Response]:
            self._keep_pauses_short()
            gate = threading.Barrier(len(several))

            def send(made: Made) -> requests.Response:
                gate.wait()
                return self._post(made)

            with ThreadPoolExecutor(len(several)) as pool:
                return list(pool.map(send, several))

        def _would_say(self, order: list[Made]) -> list[Said]:
            model, made = copy.deepcopy((self.model, order))
            expected = []
            for one in made:
                expected.append(model.expect(one))
                model.take(one, expected[-1], {"outcome": expected[-1][1]})
            return expected

        def _same(self, told: dict[str, Any], before: dict[str, Any]) -> None:
            for name in ("op_id", "outcome", "version", "at_ms"):
                assert told[name] == before[name], "the same operation is always answered the same"

        def _deliver(self, made: Made) -> None:
            self._keep_pauses_short()
            expected = self.model.expect(made)
            answer = self._post(made)
            assert said(answer) == expected
            if expected[0] == 200 and made.told is not None:
                self._same(answer.json(), made.told)
            self.model.take(made, expected, answer.json())

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
