"""Real processes for tests: one `web`, or a whole room, on free ports, and people at their pages."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests

from edge.config import ENVIRONMENT, Config, to_toml
from edge.demo.people import STAFF
from edge.demo.tablets import Tablet, Tally
from edge.ops.desk import Person
from edge.store.status import write_status
from support import warm
from support.rooms import DeskRoom
from support.warm import Forked

PROCTOR, EXAMINER, SUPERVISOR, TECHNICIAN = STAFF


def write_config(config: Config, folder: Path) -> Path:
    file = folder / "examroom.toml"
    file.write_text(to_toml(config))
    return file


def until(condition: Callable[[], Any], seconds: float = 20.0, what: str = "", every: float = 0.05) -> Any:
    """Wait until `condition` is true, asked `every` so many seconds, and return what it gave; fail loudly after
    `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(every)
    raise AssertionError(f"not within {seconds} s: {what or condition}")


class Service:
    """One `examroom service NAME` in a process group of its own, by an interpreter of its own where it has a prefix."""

    def __init__(self, config_file: Path, name: str, log: Path, prefix: tuple[str, ...] = ()) -> None:
        self._words = ["--config", str(config_file), "service", name]
        self._prefix = prefix
        self._environment = os.environ | {ENVIRONMENT: str(config_file)}
        self._log = log
        self.process: subprocess.Popen[bytes] | Forked | None = None

    def start(self) -> None:
        if not self._prefix:
            self.process = warm.start(self._words, self._log, self._environment)
            return
        command = [*self._prefix, sys.executable, "-W", "ignore", "-m", "edge.cli", *self._words]
        with self._log.open("ab") as out:
            self.process = subprocess.Popen(
                command, env=self._environment, start_new_session=True, stdout=out, stderr=out
            )

    def signal(self, number: int) -> None:
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait()

    def stop(self, seconds: float = 5.0) -> float:
        """SIGTERM to the main process; how long it took to end. Killed, and an error, past `seconds`."""
        assert self.process is not None
        start = time.monotonic()
        self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not stop within {seconds} s") from None
        return time.monotonic() - start

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        elif self.process is not None:
            self.signal(signal.SIGKILL)

    def said(self) -> str:
        return self._log.read_text() if self._log.exists() else ""


def answers(base: str) -> bool:
    try:
        return requests.get(f"{base}/healthz", timeout=1).ok
    except requests.RequestException:
        return False


@contextmanager
def door_speaks(config: Config) -> Iterator[None]:
    """The status of a check-in that does nothing else, for a kiosk whose states a test makes."""
    stop = threading.Event()

    def speak() -> None:
        while not stop.is_set():
            write_status(config.paths.status, "checkin", state="ready", held=False)
            stop.wait(1)

    write_status(config.paths.status, "checkin", state="ready", held=False)
    thread = threading.Thread(target=speak)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def serving(desk: DeskRoom, folder: Path, prefix: tuple[str, ...] = ()) -> Iterator[tuple[Service, str]]:
    """A running `web` over the desk room, and its address."""
    base = f"http://127.0.0.1:{desk.config.web.port}"
    web = Service(write_config(desk.config, folder), "web", folder / "web.log", prefix)
    web.start()
    try:
        until(lambda: answers(base), 30, "web answers")
        yield web, base
    finally:
        web.end()


def signed_in(base: str, who: Any = PROCTOR, landing: str = "/console/") -> Person:
    person = Person(base, who)
    person.sign_in(landing)
    return person


def open_exam(base: str, session: str, admit: int | None = None) -> tuple[Person, list[str]]:
    """Check-in opened, everybody (or `admit` of them) let in, exam started; the proctor and the seat codes."""
    proctor = signed_in(base)
    board = proctor.post(f"/console/api/{session}/open-checkin", reason="开考")["board"]
    people = [seat["person"] for seat in board["seats"] if seat["person"]][:admit]
    for person in people:
        answer = proctor.post(f"/console/api/{session}/admit", person=person, reason="已核验证件")
    board = proctor.post(f"/console/api/{session}/start", reason="开考")["board"]
    assert answer["done"] == "admit"
    return proctor, [seat["seat_code"] for seat in board["seats"] if seat.get("seat_code")]


def claimed(base: str, codes: list[str], tally: Tally) -> list[Tablet]:
    tablets = [Tablet(base, tally, seed) for seed in range(len(codes))]
    for tablet, code in zip(tablets, codes, strict=True):
        tablet.claim(code)
    return tablets


def said(answer: Any) -> str:
    """The code of a refusal, which is one clear sentence in each language."""
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json["zh"] and answer.json["en"]
    return str(answer.json["error"])
