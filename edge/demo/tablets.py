"""Simulated tablets: each claims its seat, answers its paper over HTTP and keeps every answer until it is acknowledged.

They do what the exam page does: an operation has an id and a sequence number, is sent again after any failure, and
only an acknowledgement lets it go.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests

from edge.ops.rehearsal.tablet import some_answer
from edge.ops.rehearsal.tally import Told

TIMEOUT = 5.0
RETRY_SECONDS = 0.3


@dataclass
class Tally:
    """What all tablets together were told."""

    acknowledged: set[str] = field(default_factory=set)
    told: dict[str, Told] = field(default_factory=dict)
    """operation id -> what became of it"""
    sent: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    """Codes of what the room could not do just then (5xx)."""
    retries: int = 0
    problems: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def acknowledge(self, op_id: str, told: Told) -> None:
        with self.lock:
            self.acknowledged.add(op_id)
            self.told[op_id] = told

    def refuse(self, code: str) -> None:
        with self.lock:
            self.refused.add(code)

    def retried(self) -> None:
        with self.lock:
            self.retries += 1

    def problem(self, text: str) -> None:
        with self.lock:
            self.problems.append(text)


class Tablet:
    """One candidate's tablet."""

    def __init__(self, base: str, tally: Tally, seed: int) -> None:
        self._base = base
        self._tally = tally
        self._http = requests.Session()
        # which answer a simulated person gives is no secret
        self._random = random.Random(seed)  # noqa: S311
        self._csrf = ""
        self._attempt = ""
        self._seq = 0

    def claim(self, seat_code: str) -> None:
        """Become this seat's tablet, as often as it takes to hear the answer."""
        answer = self._ask("POST", "/exam/api/claim", {"seat_code": seat_code, "claim": str(uuid.uuid4())})
        self._csrf, self._attempt = answer["csrf"], answer["attempt"]

    def paper(self) -> dict[str, Any]:
        document = self._ask("GET", "/exam/api/paper")
        self._csrf, self._seq = document["csrf"], document["next_seq"]
        return document

    def answer_everything(
        self, seconds: float, stop: threading.Event, right: Callable[[str], list[str] | None] | None = None
    ) -> int:
        """Answer the whole paper spread over about `seconds`; how many answers were acknowledged."""
        items = questions(self.paper())
        pause = seconds / max(1, len(items))
        done = 0
        for item in items:
            if stop.wait(pause * self._random.uniform(0.5, 1.5)):
                break
            value = (right(item["id"]) if right else None) or self.guess(item)
            done += self.answer(item["id"], value, 0) is not None
        return done

    def guess(self, item: dict[str, Any]) -> list[str]:
        """Some answer of the right form."""
        return some_answer(item, self._random)

    def answer(self, item: str, value: list[str], base_version: int) -> dict[str, Any] | None:
        """One answer until it is acknowledged."""
        body = {"item": item, "base_version": base_version, "value": value}
        return self._operation("/exam/api/answers", body)

    def hand_in(self) -> dict[str, Any] | None:
        return self._operation("/exam/api/handin", {})

    def _operation(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        operation = {"op_id": str(uuid.uuid4()), "seq": self._seq, **body}
        self._seq += 1
        self._tally.sent.add(operation["op_id"])
        try:
            answer = self._ask("POST", path, operation)
        except requests.HTTPError as error:
            self._tally.problem(f"{path}: {error}")
            return None
        value = tuple(body.get("value", ()))
        told = Told(self._attempt, body.get("item", ""), value, answer["outcome"], answer["version"])
        self._tally.acknowledge(operation["op_id"], told)
        return answer

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask until the room answers; a refusal (4xx) is final, silence and 5xx are not."""
        while True:
            try:
                answer = self._http.request(
                    method, self._base + path, json=body, headers={"X-CSRF": self._csrf}, timeout=TIMEOUT
                )
                if answer.status_code < 500:
                    answer.raise_for_status()
                    document: dict[str, Any] = answer.json()
                    return document
                self._tally.refuse(str(answer.json().get("error")))
            except requests.HTTPError:
                raise
            except requests.RequestException:
                pass  # refused, timed out or cut off in mid-answer: nothing is known, so ask again
            self._tally.retried()
            time.sleep(RETRY_SECONDS)

    def close(self) -> None:
        self._http.close()


def questions(paper: dict[str, Any]) -> list[dict[str, Any]]:
    """Everything on the page's paper that is answered under its own id: items, and the questions of cases."""
    items = [item for part in paper["parts"] for item in part["items"]]
    return [asked for item in items for asked in item.get("items") or [item]]
