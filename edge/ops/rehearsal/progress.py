"""How far a rehearsal has come: on the terminal, and for the console as the status `rehearse`, written each second."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edge.domain.reasons import sentence
from edge.domain.rehearsal import STATUS
from edge.errors import ExamroomError
from edge.ops.stages import Stages, Tick
from edge.store.status import write_status

STAGES = {
    "scratch": "scratch room 临时考场",
    "start": "start the exam service 启动",
    "seats": "admit and claim seats 入场、登录",
    "answers": "start together, answer 同时开考、作答",
    "handin": "hand in together 同时交卷",
    "count": "count what is stored 核对",
}
EVERY_S = 1.0
Told = dict[str, Any]


def told(code: str, facts: Mapping[str, Any], grave: bool = True) -> Told:
    """One reason in both languages, and whether it speaks against holding an exam."""
    return {"reason": code, **{one: sentence(code, one, **facts) for one in ("zh", "en")}, "grave": grave}


class Progress:
    """`with Progress(...) as progress: with progress("seats") as tick: tick(share, detail)`; it says itself how the
    block ended. Without a folder for statuses only the terminal hears of it."""

    def __init__(self, stages: Stages, folder: Path | None, **facts: Any) -> None:
        self._stages = stages
        self.console = stages.console
        self._folder = folder
        self._lock = threading.Lock()
        self._facts: dict[str, Any] = facts | {"stage": "scratch", "step": 1, "steps": len(STAGES), "share": 0.0}
        self._over = threading.Event()
        self._beat = threading.Thread(target=self._keep_saying, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._say()
        self._beat.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._beat.join(2 * EVERY_S)  # a daemon: whoever was stopped by a signal waits for nobody
        state, reasons = _ending(error)
        self._say(state=state, reasons=reasons)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[Tick]:
        self.know(stage=stage, step=list(STAGES).index(stage) + 1, share=0.0, detail="")
        with self._stages(STAGES[stage]) as tick:

            def both(share: float, detail: str) -> None:
                self.know(share=round(min(1.0, share), 2), detail=detail)
                tick(share, detail)

            yield both

    def know(self, **facts: Any) -> None:
        """What is said from now on."""
        with self._lock:
            self._facts |= facts

    def _keep_saying(self) -> None:
        while not self._over.wait(EVERY_S):
            self._say()

    def _say(self, **facts: Any) -> None:
        if self._folder is not None:
            with self._lock:
                said = {"state": "running"} | self._facts | facts
            write_status(self._folder, STATUS, **said)


def _ending(error: BaseException | None) -> tuple[str, Sequence[Told]]:
    if error is None:
        return "done", ()
    if isinstance(error, ExamroomError):
        return ("stopped" if error.code == "rehearsal_stopped" else "refused"), [told(error.code, error.facts)]
    if isinstance(error, Exception):
        return "failed", [told("rehearsal_failed", {"detail": str(error)[:200] or type(error).__name__})]
    return "stopped", [told("rehearsal_stopped", {})]  # a signal
