"""One simulated candidate, doing over HTTP what the exam page does, with a stop-watch.

Opens the page with its files, claims its seat, asks the clock every two seconds, loads the paper and its modules at the
start, answers at a pace, keeps every operation until it is acknowledged, sends the oldest first, and hands in. When its
Wi-Fi goes, what it has just sent is on the way: the room may have it, the reply is lost.
"""

from __future__ import annotations

import json
import random
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from edge.domain.paper import LETTERS
from edge.ops.rehearsal.shell import Shell
from edge.ops.rehearsal.tally import Told
from edge.ops.rehearsal.wire import NoAnswer, Wire

POLL_S = 2.0
RETRY_S = 0.5
START_SPREAD_S = 1.5
ARRIVAL_S = 0.05
"""From one candidate's coming to the next's: they sit down one after another."""
FLIGHT_S = 0.03
"""At most so long after sending is a connection cut."""


@dataclass
class Heard:
    """What all candidates of this machine were told, and how long it took (milliseconds)."""

    loads: list[float] = field(default_factory=list)
    saves: list[float] = field(default_factory=list)
    handins: list[float] = field(default_factory=list)
    opens: list[float] = field(default_factory=list)
    """The page with nothing kept yet, and the seat claimed."""
    page_requests: int = 0
    """Of one candidate's first opening; the most there was."""
    page_bytes: int = 0
    """What came over the wire from the first opening to the first question, paper and all; the most there was."""
    told: dict[str, Told] = field(default_factory=dict)
    """operation id -> what became of it"""
    sent: set[str] = field(default_factory=set)
    retries: int = 0
    cut: int = 0
    """Answers that were sent and whose reply was lost on the way."""
    answered: int = 0
    """Candidates who have given all their answers and had them acknowledged."""
    finished: int = 0
    problems: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def problem(self, text: str) -> None:
        with self.lock:
            self.problems.append(text)


@dataclass(frozen=True)
class Pace:
    """How one candidate works: seconds between answers, how many answers, when the Wi-Fi is gone (start, seconds)."""

    seconds: float
    answers: int
    drops: tuple[tuple[float, float], ...] = ()


class Candidate:
    """Runs in a thread of its own; every public method blocks."""

    def __init__(self, base: str, code: str, pace: Pace, heard: Heard, seed: int, verify: bool | str = True) -> None:
        self._number = seed
        self._code = code
        self._pace = pace
        self._heard = heard
        # which answer a simulated person gives is no secret
        self._random = random.Random(seed)  # noqa: S311
        self._wire = Wire(base, verify)
        self._csrf = ""
        self._seq = 0
        self._attempt = ""
        self._versions: dict[str, int] = {}
        self._shell = Shell(self._wire)
        self._queue: deque[dict[str, Any]] = deque()
        self._began = 0.0
        self._polled = 0.0
        self._carried = 0
        self._cut: set[float] = set()
        """the drops, by their start, in which a reply was lost"""
        self.clock: dict[str, Any] = {}
        """what the room last said of the exam's clock"""

    def sit(self, stop: threading.Event, handin: threading.Event) -> None:
        """From the seat code to the hand-in, which all send together once `handin` is set."""
        try:
            stop.wait(self._number * ARRIVAL_S)
            claim = {"seat_code": self._code, "claim": uuid.uuid4().hex}
            start = time.perf_counter()
            if not self._open_page(stop):
                return
            facts = self._until_answered("POST", "/exam/api/claim", claim, stop)
            if facts is None:
                return
            self._note("opens", start)
            with self._heard.lock:
                self._heard.page_requests = max(self._heard.page_requests, self._shell.requests)
            self._csrf, self._attempt = facts["csrf"], facts["attempt"]
            if not self._wait_for_start(stop):
                return
            items = self._load(stop)
            if items is None:
                return
            self._answer(items, stop)
            while self._queue and not stop.wait(0.05):
                self._poll_now_and_then()
                self._send_queue()
            with self._heard.lock:
                self._heard.answered += not self._queue
            while not handin.wait(0.05) and not stop.is_set():
                self._poll_now_and_then()
            self._hand_in(stop)
        except Exception as error:
            self._heard.problem(f"{type(error).__name__}: {error}"[:300])
        finally:
            self._wire.close()

    def _wait_for_start(self, stop: threading.Event) -> bool:
        while not stop.is_set():
            clock = self._until_answered("GET", "/exam/api/clock", None, stop)
            if clock is not None and clock["s"] == "running":
                return not stop.wait(self._random.uniform(0, START_SPREAD_S))
            stop.wait(POLL_S)
        return False

    def _open_page(self, stop: threading.Event) -> bool:
        return self._until_here(self._shell.open, stop)

    def _until_here(self, ask: Callable[[], None], stop: threading.Event) -> bool:
        """Files of the page, asked for until they are here; False when told to stop."""
        while not stop.is_set():
            try:
                ask()
                return True
            except NoAnswer:
                with self._heard.lock:
                    self._heard.retries += 1
                stop.wait(RETRY_S)
        return False

    def _load(self, stop: threading.Event) -> list[dict[str, Any]] | None:
        """The paper, and the modules that the open page needs for it; no media, which wait for a touch."""
        start = time.perf_counter()
        document = self._until_answered("GET", "/exam/api/paper", None, stop)
        if document is None:
            return None
        carried_paper = self._carried
        whole = [item for part in document["parts"] for item in part["items"]]
        items = [leaf for item in whole for leaf in item.get("items") or [item]]
        kinds, pictures = {item["type"] for item in items}, any(_shows(item) for item in (*whole, *items))
        if not self._until_here(lambda: self._shell.start(kinds, pictures), stop):
            return None
        self._note("loads", start)
        with self._heard.lock:
            self._heard.page_bytes = max(self._heard.page_bytes, self._shell.received + carried_paper)
        self._csrf, self._seq = document["csrf"], document["next_seq"]
        return items

    def _answer(self, items: list[dict[str, Any]], stop: threading.Event) -> None:
        self._began = time.monotonic()
        due = self._began + self._random.uniform(0, self._pace.seconds)
        for number in range(self._pace.answers):
            while (left := due - time.monotonic()) > 0 and not stop.is_set():
                stop.wait(min(left, POLL_S))
                self._poll_now_and_then()
                self._send_queue()
            if stop.is_set():
                return
            item = items[number % len(items)]
            self._put({"item": item["id"], "value": some_answer(item, self._random)})
            self._send_queue()
            due += self._pace.seconds

    def _put(self, body: dict[str, Any]) -> None:
        op_id = str(uuid.uuid4())
        self._heard.sent.add(op_id)
        self._queue.append({"op_id": op_id, "given": time.perf_counter(), **body})

    def _drop(self) -> float | None:
        """The start of the drop that it is in; None while there is Wi-Fi."""
        passed = time.monotonic() - self._began
        return next((start for start, seconds in self._pace.drops if start <= passed < start + seconds), None)

    def _send_queue(self) -> None:
        """Oldest first, each until it is acknowledged; what is not stays for later."""
        while self._queue:
            entry = self._queue[0]
            body = {"op_id": entry["op_id"], "seq": self._seq, "item": entry["item"], "value": entry["value"]}
            body["base_version"] = self._versions.get(entry["item"], 0)
            if (drop := self._drop()) is not None:
                if drop not in self._cut:
                    self._cut.add(drop)
                    self._lose_the_reply(body)
                return
            start = time.perf_counter()
            answer = self._ask("POST", "/exam/api/answers", body)
            if answer is None:
                time.sleep(RETRY_S)
                return
            self._note("saves", start)
            self._queue.popleft()
            self._seq += 1
            self._heard_of(entry["op_id"], entry["item"], entry["value"], answer)
            if answer["outcome"] == "applied":
                self._versions[entry["item"]] = answer["version"]

    def _lose_the_reply(self, body: dict[str, Any]) -> None:
        """Send an answer and reset the connection while it is on its way: the room has it, or not."""
        sent = json.dumps(body).encode()
        if self._wire.cut("POST", "/exam/api/answers", sent, self._headers(), self._random.uniform(0, FLIGHT_S)):
            with self._heard.lock:
                self._heard.cut += 1

    def _headers(self) -> dict[str, str]:
        return {"Content-Type": "application/json", "X-CSRF": self._csrf}

    def _heard_of(self, op_id: str, item: str, value: list[str], answer: dict[str, Any]) -> None:
        told = Told(self._attempt, item, tuple(value), answer["outcome"], answer["version"])
        with self._heard.lock:
            self._heard.told[op_id] = told

    def _hand_in(self, stop: threading.Event) -> None:
        body: dict[str, Any] = {"op_id": str(uuid.uuid4()), "seq": self._seq}
        self._heard.sent.add(body["op_id"])
        start = time.perf_counter()
        answer = self._until_answered("POST", "/exam/api/handin", body, stop)
        if answer is not None:
            self._note("handins", start)
            self._heard_of(body["op_id"], "", [], answer)
            with self._heard.lock:
                self._heard.finished += answer["outcome"] == "applied"

    def _poll_now_and_then(self) -> None:
        now = time.monotonic()
        if now - self._polled >= POLL_S and self._drop() is None:
            self._polled = now
            self.look_at_the_clock()

    def look_at_the_clock(self) -> None:
        """Ask it now; `clock` keeps what it said before when there is no answer."""
        self.clock = self._ask("GET", "/exam/api/clock", None) or self.clock

    def _note(self, kind: str, start: float) -> None:
        took = 1000 * (time.perf_counter() - start)
        with self._heard.lock:
            getattr(self._heard, kind).append(took)

    def _until_answered(
        self, method: str, path: str, body: dict[str, Any] | None, stop: threading.Event
    ) -> dict[str, Any] | None:
        while not stop.is_set():
            answer = self._ask(method, path, body)
            if answer is not None:
                return answer
            stop.wait(RETRY_S)
        return None

    def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any] | None:
        """The room's answer, or None when there was none to rely on. RuntimeError for a refusal."""
        try:
            sent = None if body is None else json.dumps(body).encode()
            answer = self._wire.ask(method, path, sent, self._headers())
            if answer.status >= 500 or answer.status == 429:
                raise NoAnswer(str(answer.status))
            document: dict[str, Any] = json.loads(answer.content)
            self._carried = answer.carried
        except (NoAnswer, ValueError):
            with self._heard.lock:
                self._heard.retries += 1
            return None
        if answer.status >= 400:
            raise RuntimeError(f"{path}: {answer.status} {document.get('error')}")
        return document


def _shows(item: dict[str, Any]) -> bool:
    """Whether the page needs its pictures' module for this item."""
    return (
        item["type"] == "hotspot" or bool(item.get("media")) or any(o.get("image") for o in item.get("options") or ())
    )


def some_answer(item: dict[str, Any], chance: random.Random) -> list[str]:
    """A well-formed answer to an item as the page was given it; right or wrong by chance."""
    keys = [option["key"] for option in item.get("options") or []]
    kind = item["type"]
    if kind == "multiple":
        return sorted(chance.sample(keys, chance.randint(1, len(keys))))
    if kind == "order":
        return chance.sample(keys, len(keys))
    if kind == "match":
        return sorted(left["key"] + chance.choice(keys) for left in item["left"])
    if kind == "fill":
        return [_blank(blank, chance) for blank in item["blanks"]]
    if kind == "hotspot":
        marks = sorted({(chance.randint(0, 1000), chance.randint(0, 1000)) for _ in range(item["marks"])})
        return [f"{x},{y}" for x, y in marks]
    return [chance.choice(keys or list(LETTERS[:2]))]


def _blank(blank: dict[str, Any], chance: random.Random) -> str:
    if blank["kind"] != "number":
        return "演练"
    units = blank["shown_units"]
    return f"{chance.randint(1, 2000)}" + (f" {units[0]}" if units else "")
