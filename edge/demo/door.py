"""The morning at the door: thirty people, one of them with another's badge, one who declines, the rest by policy."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import requests

from edge.demo.people import ASTRONAUT, CLASS_SIZE, HOPPER, badge_of
from edge.demo.room import CAMERA, SESSION, DemoRoom
from edge.hardware.badge.simulator import tap
from edge.hardware.panel.simulator import press
from edge.ops.desk import Person
from edge.store.ring import RingReader

SPARE_MS = 4000


class Door:
    """What happens outside the box: badges held to the reader, fingers on the screen, faces before the camera."""

    def __init__(self, room: DemoRoom, proctor: Person) -> None:
        self._room = room
        self._proctor = proctor
        self._http = requests.Session()
        self._ring = RingReader(room.config.paths.ring(CAMERA))
        self.refusals: list[dict[str, Any]] = []

    def everybody(self, tick: Callable[[float, str], None]) -> None:
        """All thirty, in an order that the camera's clip allows."""
        press(self._room.button)
        self._kiosk_says("button_no_badge")
        others = [n for n in range(1, CLASS_SIZE + 1) if n not in (HOPPER, ASTRONAUT)]
        steps: list[tuple[str, Callable[[], None]]] = [
            ("astronaut", lambda: self._refused_with_anothers_badge()),
            ("hopper", lambda: self._admitted_by_face()),
        ]
        self._declines()
        done = 1
        while steps or others:
            if steps and self._stands(steps[0][0]):
                steps.pop(0)[1]()
            elif others:
                self._by_policy(others.pop(0))
            else:
                time.sleep(0.2)
                continue
            done += 1
            tick(done / (CLASS_SIZE + 1), f"{done}/{CLASS_SIZE + 1}")

    def close(self) -> None:
        self._http.close()
        self._ring.close()

    # ---- each kind of visit

    def _refused_with_anothers_badge(self) -> None:
        seen = self._tap(HOPPER, {"refused", "welcome", "see_proctor"})
        self.refusals.append(seen)

    def _admitted_by_face(self) -> None:
        self._tap(HOPPER, {"welcome", "refused", "see_proctor"})

    def _declines(self) -> None:
        """Refuses face recognition on the screen, then is let in by the proctor."""
        self._tap(ASTRONAUT, {"look"})
        touch = {"act": "decline", "v": self._state()["v"]}
        self._http.post(f"{self._room.base}/kiosk/api/act", json=touch, timeout=10).raise_for_status()
        self._kiosk_says("face_declined")
        self._admit(ASTRONAUT, "manual", "核对身份证与本人一致")

    def _by_policy(self, number: int) -> None:
        self._tap(number, {"see_proctor"})
        self._admit(number, "policy", "核对身份证与本人一致")

    # ---- how

    def _tap(self, number: int, ends: set[str]) -> dict[str, Any]:
        before = self._state()["at_ms"]
        tap(self._room.reader, badge_of(number))
        found: dict[str, Any] = self._room.wait_for(lambda: self._after(before, ends), f"badge {number}", 30)
        return found

    def _after(self, before: int, ends: set[str]) -> dict[str, Any] | None:
        state = self._state()
        return state if state["at_ms"] > before and state["state"] in ends else None

    def _kiosk_says(self, reason: str) -> None:
        self._room.wait_for(lambda: self._state()["reason"] == reason, f"kiosk: {reason}", 10)

    def _state(self) -> dict[str, Any]:
        answer = self._http.get(f"{self._room.base}/kiosk/api/state", timeout=10)
        answer.raise_for_status()
        state: dict[str, Any] = answer.json()
        return state

    def _admit(self, number: int, route: str, reason: str) -> None:
        board = self._proctor.get(f"/console/api/{SESSION}/board")
        person = next(seat["person"] for seat in board["seats"] if seat.get("number") == number)
        self._proctor.post(f"/console/api/{SESSION}/admit", person=person, route=route, reason=reason)

    def _stands(self, who: str) -> bool:
        """Whether `who` stands before the camera now, and long enough to be looked at."""
        frame = self._ring.latest()
        if frame is None:
            return False
        return any(
            section["who"] == who and section["from_ms"] <= frame.source_ms <= section["until_ms"] - SPARE_MS
            for section in self._room.sections
        )
