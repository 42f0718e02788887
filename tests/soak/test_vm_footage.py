"""20 power cuts of a whole virtual machine while its camera records: at most 2 s of footage are lost at any, no file is
gone, and index, hashes, ledger and the certificate of all of it, a gap for each cut, are right after it.

QEMU is killed with SIGKILL and started again from the same disk: half of the times with `cache=none`, where what the
guest has sent to the disk is on it, half of the times from the disk as it was at the guest's last flush, so that
nothing of the disk's own cache is left (`support/logwrites.py`). The guest says on its serial line which files there
are before its camera begins, and how long it has been up: the last it said is when the power went. Run by `make
vmkill`, which makes the disk (`provisioning/vmtest.sh`).
"""

from __future__ import annotations

import os
import random
import re
import sqlite3
import subprocess
import time
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.limits import misses
from bench.measured import record
from edge.config import parse_config
from edge.recording import clips
from edge.recording.salvage import on_disk
from edge.store import ledger, segments
from edge.store.db import connect
from soak.test_vm_kills import VM, Machine, copy_of_disk, mounted
from support.certified import certified
from support.logwrites import SECTOR, replay, unflushed

pytestmark = [pytest.mark.soak, pytest.mark.vm]

CUTS = int(os.environ.get("VM_FOOTAGE_CUTS", "20"))
CAMERA = "door"
STATE, RECORDINGS = "var/lib/examroom", "var/lib/examroom-recordings"
MASKED = ("vmtest", "examroom-checkin", "examroom-uplink")
SAID = re.compile(r"examroom-up ([0-9a-f]{32}) ([0-9]+)\.([0-9]{2})")
FOUND = re.compile(r"examroom-file ([0-9a-f]{32}-[0-9]{6}\.mp4)")
RECORDING_S = 25.0
"""Within this the camera has begun to record once the page answers; what it lost before is counted too."""
SCRIPT = """boot=$(tr -d - </proc/sys/kernel/random/boot_id)
while sleep 0.05; do read up rest </proc/uptime; echo "examroom-up $boot $up" >/dev/ttyS0; done
"""
UNIT = """[Unit]
Description=how long the machine has been up, on its serial line
[Service]
ExecStart=/bin/sh /var/lib/vmtest/up.sh
[Install]
WantedBy=multi-user.target
"""
LIST = f"""cd /{RECORDINGS}/{CAMERA} || exit 0
for file in *.mp4; do echo "examroom-file $file" >/dev/ttyS0; done
"""
LIST_UNIT = f"""[Unit]
Description=which files there are, on its serial line
Before=examroom-camera@{CAMERA}.service
[Service]
Type=oneshot
ExecStart=/bin/sh /var/lib/vmtest/list.sh
[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Cut:
    """When the power went in a boot, on the guest's monotonic clock, what was left out of the disk, and the files that
    an earlier boot's camera had left there."""

    boot_id: str
    mono_ms: int
    left_out: int
    before: frozenset[str]


@pytest.fixture
def disk() -> Path:
    copy = copy_of_disk("footage.img")
    with mounted(copy) as root:
        for name, unit, script in (("up", UNIT, SCRIPT), ("list", LIST_UNIT, LIST)):
            (root / f"etc/systemd/system/{name}.service").write_text(unit)
            (root / f"var/lib/vmtest/{name}.sh").write_text(script)
            wanted = root / f"etc/systemd/system/multi-user.target.wants/{name}.service"
            wanted.symlink_to(f"/etc/systemd/system/{name}.service")
    return copy


def logged(disk: Path, log: Path) -> tuple[str, ...]:
    """QEMU's options for a disk whose writes and flushes are written down."""
    return (
        *("-blockdev", f"driver=file,node-name=disk,filename={disk}"),
        *("-blockdev", f"driver=file,node-name=log,filename={log}"),
        *("-blockdev", "driver=blklogwrites,node-name=both,file=disk,log=log,log-super-update-interval=1"),
        *("-device", "virtio-blk-pci,drive=both,write-cache=on"),
    )


def cut(disk: Path, chance: random.Random, *, drop: bool) -> Cut:
    """Boot, record for a while, and pull the plug."""
    before, log = VM / "footage-before.img", VM / "footage.log"
    drive: tuple[str, ...] = ("-drive", f"file={disk},format=raw,if=virtio,cache=none")
    if drop:
        subprocess.run(["cp", "--sparse=always", str(disk), str(before)], check=True)
        log.write_bytes(b"")
        drive = logged(disk, log)
    machine = Machine(disk, drive, MASKED)
    try:
        machine.power_on()
        time.sleep(RECORDING_S + chance.uniform(2, 20))
        if drop:
            stand_still_in_a_write(machine, log)
    finally:
        machine.pull_the_plug()
    said = machine.console.read_text(errors="replace")
    *_, last = SAID.finditer(said)
    left_out = 0
    if drop:
        left_out = replay(log, before)
        before.replace(disk)
        log.unlink()
    return Cut(last[1], int(last[2]) * 1000 + int(last[3]) * 10, left_out, frozenset(FOUND.findall(said)))


def stand_still_in_a_write(machine: Machine, log: Path) -> None:
    """Stop the machine where something is written and not yet flushed: at most moments nothing is, and a disk that
    drops what was not flushed would drop nothing. The machine goes on for a moment where it is not so, for 10 s."""
    at = SECTOR
    for _ in range(500):
        machine.stand_still()
        at, writes = unflushed(log, at)
        if writes:
            return
        machine.go_on()
        time.sleep(0.02)


def test_a_power_cut_loses_no_more_than_two_seconds_and_no_file(disk: Path, tmp_path: Path) -> None:
    chance = random.Random(5)
    cuts = [cut(disk, chance, drop=n % 2 == 1) for n in range(CUTS)]
    assert any(one.left_out for one in cuts) or CUTS < 2, "nothing was left out of any disk"
    last = Machine(disk, masked=MASKED)  # salvages what the last cut left, and is cut off with it indexed
    try:
        last.power_on()
        time.sleep(RECORDING_S)
    finally:
        last.pull_the_plug()
    told = FOUND.findall(last.console.read_text(errors="replace"))
    seen = {*told, *(name for one in cuts for name in one.before)}
    with mounted(disk) as root, closing(connect(root / STATE / "room.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        ledger.check(db)
        recordings = root / RECORDINGS
        lost = [lost_ms(db, recordings, one) for one in cuts]
        gone = files_gone(recordings, seen)
        boots = {one.boot_id for one in cuts}  # not what was recorded while the disk was made, nor by the last
        spans = [span for span in segments.spans(db, CAMERA, 0, 1 << 52) if span.boot_id in boots]
        paths = {"state": str(root / STATE), "recordings": str(recordings), "runtime": str(tmp_path)}
        config = parse_config({"paths": paths, "camera": {CAMERA: {"backend": "file", "source": "clip.mp4"}}})
        fact = certified(config, CAMERA, spans[0].started_ms, spans[-1].ended_ms)
    figures = {
        "cuts": len(cuts),
        "lost_s_most": round(max(lost) / 1000, 2),
        "lost_s_median": round(sorted(lost)[len(lost) // 2] / 1000, 2),
        "writes_left_out": sum(one.left_out for one in cuts),
        "files_gone": gone,
    }
    record("vm_footage", figures)
    print(figures)
    assert seen, "the guest has not said which files there are"
    # an emulated processor that is too slow for its camera is another cause, and said
    causes = [gap.cause for gap in fact.gaps if gap.cause != "camera-stalled"]
    assert causes == ["power"] * (len(cuts) - 1), "each cut between two of these boots is a gap of its own"
    assert (fact.segments, fact.salvaged) == (len(spans), sum(span.salvaged for span in spans))
    assert abs(fact.expected_ms - fact.recorded_ms - sum(gap.ms for gap in fact.gaps)) < 250 * len(spans)
    assert not misses("vm_footage", figures)


def lost_ms(db: sqlite3.Connection, recordings: Path, one: Cut) -> int:
    """What is missing at the end of a boot; asserts that what the index says of it is in the files, hash by hash."""
    found = [s for s in segments.between(db, CAMERA, 0, 1 << 52) if s.boot_id == one.boot_id]
    assert found, "nothing of this boot was recorded"
    for segment in found:
        whole = list(clips.read_fragments(recordings, segment, 0, 1 << 52))
        assert len(whole) == len(segment.fragments) > 0
    assert found[-1].salvaged or found[-1].cause == "rotated"
    ended = max(segment.started_mono_ms + segment.duration_ms for segment in found)
    return max(0, one.mono_ms - ended)


def files_gone(recordings: Path, seen: Collection[str]) -> int:
    """Files that were `seen` after a cut and are not there, and numbers that a boot has used and no file has: each
    begins at 1 and leaves none out."""
    used: dict[str, set[int]] = {}
    for place in on_disk(recordings, CAMERA):
        used.setdefault(place.boot_id, set()).add(place.sequence)
    there = {path.name for path in (recordings / CAMERA).glob("*.mp4")}
    return sum(max(numbers) - len(numbers) for numbers in used.values()) + len(set(seen) - there)
