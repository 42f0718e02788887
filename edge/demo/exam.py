"""The exam with its faults: thirty tablets answer while the gateway goes away and two processes are killed."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

from edge.demo.people import CLASS_SIZE
from edge.demo.room import CAMERA, SESSION, DemoRoom
from edge.demo.tablets import Tablet, Tally
from edge.ops.desk import Person

EXAM_SECONDS = 40.0
# share of the exam -> what happens then
GATEWAY_GONE, WEB_KILLED, CAMERA_KILLED, GATEWAY_BACK = 0.15, 0.4, 0.6, 0.8


def take_the_exam(room: DemoRoom, proctor: Person, tally: Tally, tick: Callable[[float, str], None]) -> None:
    """Start, answer everything, hand everything in; the faults come on their own."""
    board = proctor.post(f"/console/api/{SESSION}/start", reason="人员到齐")["board"]
    codes = [seat["seat_code"] for seat in board["seats"] if seat.get("seat_code")]
    tablets = [Tablet(room.base, tally, seed) for seed in range(len(codes))]
    stop = threading.Event()
    workers = [
        threading.Thread(target=_sit, args=(tablet, code, stop, tally), daemon=True)
        for tablet, code in zip(tablets, codes, strict=True)
    ]
    for worker in workers:
        worker.start()
    _faults(room, workers, tick)
    for worker in workers:
        worker.join(60)
    if any(worker.is_alive() for worker in workers):
        tally.problem("a tablet is still waiting")
    stop.set()
    for tablet in tablets:
        tablet.close()


def _sit(tablet: Tablet, code: str, stop: threading.Event, tally: Tally) -> None:
    try:
        tablet.claim(code)
        tablet.answer_everything(EXAM_SECONDS, stop)
        tablet.hand_in()
    except Exception as error:
        tally.problem(f"tablet: {error}")


def _faults(room: DemoRoom, workers: list[threading.Thread], tick: Callable[[float, str], None]) -> None:
    start = time.monotonic()
    plan: list[tuple[float, str, Callable[[], None]]] = [
        (GATEWAY_GONE, "gateway away 网关断开", room.stop_gateway),
        (WEB_KILLED, "SIGKILL web", lambda: room.kill("web")),
        (CAMERA_KILLED, "SIGKILL camera", lambda: room.kill(f"camera@{CAMERA}")),
        (GATEWAY_BACK, "gateway back 网关恢复", room.start_gateway),
    ]
    detail = ""
    while plan or any(worker.is_alive() for worker in workers):
        share = (time.monotonic() - start) / EXAM_SECONDS
        if plan and share >= plan[0][0]:
            _, detail, act = plan.pop(0)
            act()
        elif share > 3:
            return
        tick(min(1.0, share), detail)
        time.sleep(0.1)


def score_practical(examiner: Person, pin: str, tick: Callable[[float, str], None]) -> None:
    """The examiner's tablet: a sheet for everyone, some with deductions, one with a veto item."""
    sheet = examiner.get(f"/scoring/api/{SESSION}")
    rubric = sheet["rubric"]
    chance = random.Random(7)  # noqa: S311 - whom the simulated examiner marks down is no secret
    deductions = [d["id"] for step in rubric["steps"] for d in step["deductions"]]
    present = [c for c in sheet["candidates"] if c["state"] in ("admitted", "finished")]
    for done, candidate in enumerate(present, start=1):
        marks = [{"deduction": d, "count": 1} for d in chance.sample(deductions, chance.randint(0, 4))]
        vetoes = [rubric["vetoes"][0]["id"]] if done == CLASS_SIZE else []
        body: dict[str, Any] = {"person": candidate["person"], "marks": marks, "vetoes": vetoes, "note": "", "pin": pin}
        examiner.post(f"/scoring/api/{SESSION}/score", **body)
        tick(done / len(present), f"{done}/{len(present)}")


def finish(proctor: Person) -> None:
    """Close, score, sign."""
    proctor.post(f"/console/api/{SESSION}/close", reason="全部交卷")
    proctor.post(f"/console/api/{SESSION}/sign", reason="签发结果")


def wait_for_receipts(room: DemoRoom, proctor: Person, count: int, tick: Callable[[float, str], None]) -> None:
    """Until the province has receipted everything."""

    def receipted() -> bool:
        done = proctor.get(f"/console/api/{SESSION}/board")["uploads"]["receipted"]
        tick(done / count, f"{done}/{count}")
        return bool(done >= count)

    room.wait_for(receipted, "receipts", 60)
