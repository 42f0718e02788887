"""`examroom demo`: a sealed bank to a signed receipt, unattended, with its faults; exits 1 on any miss."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from edge.demo import checks, exam, footage
from edge.demo.door import Door
from edge.demo.people import CLASS_SIZE, HOPPER, STAFF, badge_of
from edge.demo.reload import watch_code
from edge.demo.room import SESSION, DemoRoom
from edge.demo.tablets import Tally
from edge.domain.reasons import sentence
from edge.errors import BadInput
from edge.hardware.badge.simulator import tap
from edge.ops.desk import Person
from edge.ops.ports import free_port
from edge.ops.stages import Stages
from edge.store import ledger
from edge.store.db import connect

PROCTOR, EXAMINER, SUPERVISOR, _ = STAFF
MARKER = ".examroom-demo"
ANOTHER = "DEMO-2"


@click.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("build/demo"), show_default=True)
@click.option("--keep", is_flag=True, help="Leave the room running and print addresses and logins.")
@click.option("--camera", help="A webcam instead of the clip: its number or device node. Implies --only-room.")
@click.option("--only-room", is_flag=True, help="Set the room up and leave it to be clicked through.")
@click.option("--reload", "reload_", is_flag=True, help="Restart the services when the code changes.")
@click.option("--port", type=int, help="The room's port; a free one otherwise.")
@click.option("--tap", "badge", help="Hold this badge to the reader of the room that is running in --out, and end.")
def demo(
    out: Path, keep: bool, camera: str | None, only_room: bool, reload_: bool, port: int | None, badge: str | None
) -> None:
    """Run a whole simulated session and check every figure 演示."""
    if badge is not None:
        tap(out.resolve() / "run" / "reader", badge)
        return
    began = time.monotonic()
    console = Console(width=None if sys.stdout.isatty() else 120)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))
    out = out.resolve()
    if port is not None and not 1 <= port <= 65535:
        raise click.BadParameter("1-65535", param_hint="--port")
    _empty(out)
    room = DemoRoom(out, port or free_port(), free_port(), camera)
    stages, summary = Stages(console), checks.nothing_yet()
    try:
        try:
            _set_up(room, stages)
            if only_room or camera is not None:
                _leave_running(room, console, reload_, SESSION)
                return
            _story(room, stages, summary)
        except BaseException as error:  # a miss too: whoever reads the summary must find it, with what was counted
            said = str(error) if isinstance(error, Exception) else ""
            summary["seconds"] = _since(began)
            _write_summary(out, summary | {"error": said or type(error).__name__})
            raise
        summary["seconds"] = _since(began)
        missed = checks.misses(summary)
        _print(console, summary, missed)
        _write_summary(out, summary)
        if keep:
            # the first session is signed: one more, so that there is something to click
            room.publish_another(ANOTHER)
            _leave_running(room, console, reload_, ANOTHER)
    finally:
        room.stop()
        room.stop_gateway()
    sys.exit(1 if missed else 0)


def _since(began: float) -> float:
    return round(time.monotonic() - began, 1)


def _write_summary(out: Path, summary: dict[str, Any]) -> None:
    (out / "summary.json").write_text(json.dumps(summary, ensure_ascii=False, indent=1) + "\n")


def _empty(out: Path) -> None:
    """Remove an earlier demo, and nothing that is not one."""
    if out.exists() and any(out.iterdir()):
        if not (out / MARKER).exists():
            raise BadInput("demo_folder", path=out)
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / MARKER).write_text("examroom demo\n")


def _set_up(room: DemoRoom, stages: Stages) -> None:
    with stages("set-up 准备") as tick:
        room.prepare(tick)
    with stages("gateway and enrolment 网关与登记") as tick:
        room.found_province()
        room.start_gateway()
        tick(0.4, "enrol 登记")
        room.enrol()
        tick(0.8, "publish 发布题库与名册")
        room.publish()
    with stages("services start, bundles arrive 启动与同步") as tick:
        room.start()
        tick(0.2, "camera 摄像头")
        room.wait_for_camera()
        tick(0.3, "sync 同步")
        room.wait_for(lambda: _entries(room, "session_planned") == 1, "the roster")
        tick(0.6, "face templates 人脸模板")
        room.wait_for(lambda: _entries(room, "enrolled_face") == 2, "face templates")


def _entries(room: DemoRoom, kind: str) -> int:
    connection = connect(room.config.paths.room_db)
    try:
        return len(ledger.entries(connection, kinds=(kind,)))
    finally:
        connection.close()


def _story(room: DemoRoom, stages: Stages, summary: dict[str, Any]) -> None:
    """The whole session; fills `summary` in as it is counted."""
    proctor, examiner, supervisor = (Person(room.base, who) for who in (PROCTOR, EXAMINER, SUPERVISOR))
    for person, landing in ((proctor, "/console/"), (examiner, "/scoring/"), (supervisor, "/spotcheck/")):
        person.sign_in(landing)
    tally = Tally()
    door = Door(room, proctor)
    with stages("check-in 签到") as tick:
        proctor.post(f"/console/api/{SESSION}/open-checkin", reason="开放签到")
        door.everybody(tick)
    with stages("exam with faults 考试与故障") as tick:
        exam.take_the_exam(room, proctor, tally, tick)
    with stages("practical scores 实操评分") as tick:
        exam.score_practical(examiner, EXAMINER.pin, tick)
    with stages("close, sign, upload 收卷签发上传") as tick:
        exam.finish(proctor)
        exam.wait_for_receipts(room, proctor, CLASS_SIZE, tick)
        room.command("uplink", "resend")
        room.wait_for(lambda: footage.is_indexed(room.config), "the last segment", 40)
    summary |= checks.people_and_answers(room.config, tally)
    summary |= {"refusals": [refusal["zh"] for refusal in door.refusals], "problems": tally.problems}
    summary |= footage.footage(room.config) | checks.uploads(room) | checks.ledger_proofs(room.config)
    with stages("evidence, 100 altered copies 证据") as tick:
        file = checks.export_refusal(room, supervisor)
        summary |= checks.evidence(room, file, tick)
    for person in (proctor, examiner, supervisor):
        person.close()
    door.close()


def _print(console: Console, summary: dict[str, Any], missed: list[str]) -> None:
    table = Table(title="examroom demo 演示", show_header=False)
    gaps = "; ".join(f"{gap['seconds']} s {gap['cause']}" for gap in summary["gaps"]) or "none 无"
    rows = [
        ("admitted 入场", f"{summary['admitted']} ({summary['by_face']} by face 人脸)"),
        ("refused 拒绝", f"{summary['refused']}  {'; '.join(summary['refusals'])}"),
        ("by the manual route 人工通道", str(summary["manual"])),
        ("by policy 按规则", str(summary["by_policy"])),
        ("answers acknowledged = stored 答案", f"{summary['acknowledged']} = {summary['stored']}"),
        (
            "of them lost / doubled / changed",
            f"{summary['answers_lost']} / {summary['answers_doubled']} / {summary['answers_changed']}",
        ),
        ("sent again after a fault 重发", str(summary["retries"])),
        ("footage expected / recorded 录像", f"{summary['footage_expected_s']} / {summary['footage_recorded_s']} s"),
        ("segment files read / wrong 录像文件", f"{summary['footage_files']} / {len(summary['footage_wrong'])}"),
        ("gaps 缺口", gaps),
        ("results signed = receipts verified", f"{summary['results']} = {summary['receipts']}"),
        ("uploads of each / doubled 上传", f"{summary['arrivals_each']} / {summary['doubled']}"),
        ("ledger 台账", f"{'ok' if summary['ledger_ok'] else 'BROKEN'}, {summary['ledger_size']} entries 条"),
        ("evidence 证据", str(summary["evidence"])),
        ("altered copies named 篡改识别", f"{summary['flips_named']} / {summary['flips_tried']}"),
        ("took 用时", f"{summary['seconds']} s"),
    ]
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)
    for language in ("zh", "en") if missed else ():
        console.print(sentence("demo_missed", language, what=", ".join(missed)), style="bold red")


def _open_doors(room: DemoRoom, session: str) -> list[str]:
    """Check-in open, three people in, the exam started; their seat codes."""
    room.wait_for(lambda: session in _planned(room), f"session {session}")
    proctor = Person(room.base, PROCTOR)
    proctor.sign_in("/console/")
    board = proctor.post(f"/console/api/{session}/open-checkin", reason="开放签到")["board"]
    for seat in [seat for seat in board["seats"] if seat.get("number") in (3, 4, 5)]:
        reason = "核对身份证与本人一致"
        proctor.post(f"/console/api/{session}/admit", person=seat["person"], reason=reason)
    board = proctor.post(f"/console/api/{session}/start", reason="演示")["board"]
    proctor.close()
    return [seat["seat_code"] for seat in board["seats"] if seat.get("seat_code")]


def _planned(room: DemoRoom) -> set[str]:
    connection = connect(room.config.paths.room_db)
    try:
        return {entry.session_id or "" for entry in ledger.entries(connection, kinds=("session_planned",))}
    finally:
        connection.close()


def _leave_running(room: DemoRoom, console: Console, reload_: bool, session: str) -> None:
    """Something to click in, addresses and logins, then wait for Ctrl-C."""
    codes = _open_doors(room, session)
    table = Table(title="the room is running 考场运行中 (Ctrl-C)")
    for heading in ("page 页面", "address 地址", "badge 工牌", "PIN"):
        table.add_column(heading)
    logins = {"/console/": PROCTOR, "/scoring/": EXAMINER, "/spotcheck/": SUPERVISOR}
    for name, path in (
        ("kiosk 签到", "/kiosk/"),
        ("exam 考试", "/exam/"),
        ("console 监考", "/console/"),
        ("scoring 考评", "/scoring/"),
        ("spot check 抽查", "/spotcheck/"),
    ):
        who = logins.get(path)
        table.add_row(name, room.base + path, who.badge if who else "", who.pin if who else "")
    table.add_row("gateway 网关", room.gateway_url + "/", "", "")
    console.print(table)
    console.print(f"{session}: seat codes 座位码 {', '.join(codes)}", highlight=False)
    hold = f"examroom demo --out {room.out} --tap {badge_of(HOPPER)}"
    console.print(f"hold a badge to the reader 刷卡: {hold}", highlight=False, soft_wrap=True)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    if reload_:
        watch_code(room, stop)
    stop.wait()
