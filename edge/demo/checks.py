"""What the demo must show, counted from what was left on disk and not from what anybody claims."""

from __future__ import annotations

import random
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.config import Config
from edge.demo.people import CLASS_SIZE
from edge.demo.room import CAMERA, ROOM, SESSION, DemoRoom
from edge.demo.tablets import Tally
from edge.errors import ExamroomError
from edge.exam.results import write_files
from edge.gateway.page import overview
from edge.gateway.settings import open_province
from edge.ops.desk import Person
from edge.ops.rehearsal.tally import hold_against
from edge.store import checkins, ledger, outbox, people
from edge.store import journal as rows
from edge.store.db import connect
from edge.trust import checkpoint, enrolment
from edge.trust.verifier import Region, layout, verify_file

FLIPS = 100
AROUND_MS = 8_000
# two seconds may be lost, and a process takes some to start on a busy machine
LONGEST_GAP_S = 20.0
# of a hundred changed bytes, how many in each part
SPREAD = {"video": 40, "ledger": 20, "proof": 20, "signature": 20}
SIGNATURE_PARTS = ("certificate", "manifest", "checkpoint")


def nothing_yet() -> dict[str, Any]:
    """A summary with all its keys and nothing counted: what a demo that broke off leaves of what it did not reach.

    `seconds`: how long all of it took, by the wall; a figure to read, no check.
    """
    counts = ["admitted", "by_face", "manual", "by_policy", "refused", "acknowledged", "stored"]
    counts += ["answers_lost", "answers_doubled", "answers_changed", "retries", "footage_files"]
    counts += ["results", "results_verified", "receipts", "gateway_stored", "doubled", "alarms"]
    counts += ["ledger_size", "flips_tried", "flips_named"]
    lists = ["refusal_reasons", "refusals", "problems", "footage_wrong", "gaps", "arrivals_each", "flips_wrong"]
    return {
        **dict.fromkeys(counts, 0),
        **{name: [] for name in lists},
        "footage_expected_s": 0.0,
        "footage_recorded_s": 0.0,
        "ledger_ok": False,
        "evidence": None,
        "seconds": 0.0,
    }


def people_and_answers(config: Config, tally: Tally) -> dict[str, Any]:
    """Who came in how, and whether every acknowledged operation is in the store as it was acknowledged.

    `stored` counts the acknowledged operations that are there; `answers_lost`, `answers_doubled` and
    `answers_changed` are what `hold_against` finds of values, versions, order and standing answers: none may be.
    """
    room, answers = connect(config.paths.room_db), connect(config.paths.answers_db)
    try:
        everyone = people.candidates(room, SESSION)
        routes = Counter(who.route for who in everyone if who.admitted_ms is not None)
        refused = [c for c in checkins.everything(room, SESSION) if c.outcome == "refused"]
        stored = {row.op_id for row in rows.all_ops(answers)}
        wrong = hold_against(answers, tally.told, tally.sent)
    finally:
        room.close()
        answers.close()
    return {
        "admitted": sum(routes.values()),
        "by_face": routes["face"],
        "manual": routes["manual"],
        "by_policy": routes["policy"],
        "refused": len(refused),
        "refusal_reasons": [c.reason for c in refused],
        "acknowledged": len(tally.acknowledged),
        "stored": len(tally.acknowledged & stored),
        "answers_lost": wrong.lost,
        "answers_doubled": wrong.doubled,
        "answers_changed": wrong.changed,
        "retries": tally.retries,
    }


def uploads(room: DemoRoom) -> dict[str, Any]:
    """Results signed here, receipts verified here, and what the gateway itself saw arrive."""
    config = room.config
    here = enrolment.load(config.paths)
    connection = connect(config.paths.room_db)
    try:
        files = write_files(connection, here, SESSION, room.out / "results")
        verified = sum(verify_file(file, [here.root_public]).ok for file in files)
        sent = [one for one in outbox.after(connection, (0, 0), 10_000)]
    finally:
        connection.close()
    receipts = room.out / "receipts"
    receipts.mkdir(exist_ok=True)
    # the two public files a stranger needs: the root, and the gateway's key as the root signed it
    for name in ("root.pub", "gateway.json"):
        shutil.copyfile(config.paths.trust / name, room.out / name)
    good = 0
    gateway_keys = [here.root_public, *([here.gateway.public] if here.gateway else [])]
    for one in sent:
        if one.receipt is None:
            continue
        file = receipts / f"{one.epoch:03d}-{one.seq:06d}.json"
        file.write_bytes(one.receipt)
        good += verify_file(file, gateway_keys).ok
    province = open_province(room.gateway_folder)
    try:
        seen = overview(province, 100_000)
    finally:
        province.close()
    arrivals = Counter(sha for request in seen.requests for sha in request["shas"])
    stored = next((int(r["results"]) for r in seen.rooms if r["room"] == ROOM), 0)
    shas = {one.sha256 for one in sent}
    return {
        "results": len(files),
        "results_verified": verified,
        "receipts": good,
        "arrivals_each": sorted({arrivals[sha] for sha in shas}),
        "gateway_stored": stored,
        "doubled": max(0, stored - len(shas)),
        "alarms": len(seen.alarms),
    }


def ledger_proofs(config: Config) -> dict[str, Any]:
    """Recompute the whole tree, and check the newest signed and witnessed heads against it."""
    here = enrolment.load(config.paths)
    origin = here.certificate.origin
    connection = connect(config.paths.room_db)
    try:
        size, _ = ledger.check(connection)
        signed = ledger.latest_checkpoint(connection)
        witnessed = ledger.latest_checkpoint(connection, witnessed=True)
        ok = signed is not None and witnessed is not None
        if signed is not None:
            head = checkpoint.open_note(signed.note, {origin: here.keys.sign.public})
            ok = ok and head.root == ledger.root(connection, head.size)
        if witnessed is not None and witnessed.witnessed is not None and here.gateway is not None:
            keys = {origin: here.keys.sign.public, here.gateway.name: here.gateway.public}
            head = checkpoint.open_note(witnessed.witnessed, keys)
            ok = ok and head.root == ledger.root(connection, head.size)
    except (ExamroomError, sqlite3.Error):
        return {"ledger_ok": False, "ledger_size": 0}
    finally:
        connection.close()
    return {"ledger_ok": ok, "ledger_size": size}


def export_refusal(room: DemoRoom, supervisor: Person) -> Path:
    """The supervisor takes the clip around the refusal away."""
    connection = connect(room.config.paths.room_db)
    try:
        refusal = next(c for c in checkins.everything(connection, SESSION) if c.outcome == "refused")
    finally:
        connection.close()
    body = {
        "camera": CAMERA,
        "from": refusal.at_ms - AROUND_MS,
        "until": refusal.at_ms + AROUND_MS,
        "why": "核查冒用他人卡片",
    }
    folder = room.out / "evidence"
    folder.mkdir(exist_ok=True)
    file = folder / "refusal.zip"
    told = supervisor.post(f"/spotcheck/api/{SESSION}/exports", **body)
    while told["state"] in ("waiting", "making"):
        time.sleep(0.2)
        told = supervisor.get(f"/spotcheck/api/{SESSION}/exports/{told['id']}")
    if told["state"] != "ready":
        raise RuntimeError(f"no evidence: {told['why']}")
    file.write_bytes(supervisor.download(told["url"]))
    return file


def evidence(room: DemoRoom, file: Path, tick: Callable[[float, str], None]) -> dict[str, Any]:
    """The good file verifies by the command a stranger would use; each of a hundred altered copies is named rightly."""
    root = room.config.paths.trust / "root.pub"
    good = room.command("verify", str(file), "--root", str(root), "--json").returncode == 0
    tried, named, wrong = flip_bytes(file, [bytes.fromhex(root.read_text().strip())], tick)
    return {
        "evidence": str(file.relative_to(room.out)) if good else None,
        "flips_tried": tried,
        "flips_named": named,
        "flips_wrong": wrong,
    }


def flip_bytes(file: Path, roots: list[bytes], tick: Callable[[float, str], None]) -> tuple[int, int, list[str]]:
    """Change one byte at a time in a copy; how many were tried, how many were refused with the right name."""
    chance = random.Random(100)  # noqa: S311 - the places are to be the same each time
    regions = layout(file)
    altered = file.with_suffix(".altered")
    altered.write_bytes(file.read_bytes())
    tried = named = 0
    wrong: list[str] = []
    try:
        for region in _regions(regions, chance):
            at = chance.randrange(region.start, region.end)
            with altered.open("r+b") as copy:
                copy.seek(at)
                before = copy.read(1)
                copy.seek(at)
                copy.write(bytes([before[0] ^ (1 << chance.randrange(8))]))
            verdict = verify_file(altered, roots)
            with altered.open("r+b") as copy:
                copy.seek(at)
                copy.write(before)
            tried += 1
            right = not verdict.ok and verdict.part == region.part
            right = right and (region.second is None or verdict.second == region.second)
            named += right
            if not right:
                wrong.append(f"{at}: {region.part} {region.second} as {verdict.part} {verdict.second}")
            tick(tried / FLIPS, f"{named}/{tried}")
    finally:
        altered.unlink(missing_ok=True)
    return tried, named, wrong


def _regions(regions: list[Region], chance: random.Random) -> list[Region]:
    """A hundred regions by the spread, longer ones more often."""
    chosen: list[Region] = []
    for part, count in SPREAD.items():
        names = SIGNATURE_PARTS if part == "signature" else (part,)
        pool = [region for region in regions if region.part in names]
        chosen += chance.choices(pool, [region.end - region.start for region in pool], k=count)
    return chosen


def misses(summary: dict[str, Any]) -> list[str]:
    """Everything in the summary that is not as it must be."""
    lost = sum(gap["seconds"] for gap in summary["gaps"])
    wanted = {
        "admitted": summary["admitted"] == CLASS_SIZE,
        "by_face": summary["by_face"] == 1,
        "manual": summary["manual"] == 1,
        "by_policy": summary["by_policy"] == CLASS_SIZE - 2,
        "refused": summary["refusal_reasons"] == ["face_other_person"],
        "acknowledged = stored": summary["acknowledged"] == summary["stored"] > CLASS_SIZE,
        "answers as acknowledged": not any(summary[f"answers_{how}"] for how in ("lost", "doubled", "changed")),
        "tablets": not summary["problems"],
        "the kill of web was noticed": summary["retries"] > 0,
        "footage files": summary["footage_files"] > 0 and not summary["footage_wrong"],
        "footage": summary["footage_recorded_s"] > 0
        and abs(summary["footage_expected_s"] - summary["footage_recorded_s"] - lost) < 1,
        "gaps have causes": all(gap["cause"] not in ("unknown", "not-started") for gap in summary["gaps"]),
        "gaps are short": all(gap["seconds"] <= LONGEST_GAP_S for gap in summary["gaps"]),
        "the kill of camera was noticed": any(gap["cause"] == "killed" for gap in summary["gaps"]),
        "results": summary["results"] == summary["results_verified"] == summary["receipts"] == CLASS_SIZE,
        # once more is an honest repeat after a lost answer; the gateway keeps one all the same
        "arrived twice": bool(summary["arrivals_each"]) and summary["arrivals_each"][0] >= 2,
        "none doubled": summary["doubled"] == 0 and summary["gateway_stored"] == CLASS_SIZE,
        "no alarm": summary["alarms"] == 0,
        "ledger": summary["ledger_ok"] is True,
        "evidence": summary["evidence"] is not None,
        "flips": summary["flips_tried"] == summary["flips_named"] == FLIPS,
    }
    return [name for name, right in wanted.items() if not right]
