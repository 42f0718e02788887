"""`examroom restore`: the room on a spare machine, from its second medium alone.

What stands on the medium is said in `edge.exam.mirror`. The restored room can go on with a running session at once: its
banks open, its tablets' cookies and its TLS certificate hold. It cannot sign: the signing key was on no medium. Before
results are signed it enrols again, with a new key and a new epoch, so that no two boxes ever sign as one.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress

from edge import clock
from edge.config import Config, Paths
from edge.errors import BadInput, Conflict, ExamroomError, NotFound, Unavailable, VerificationFailed
from edge.exam.mirror import read_secret
from edge.exam.mirrorwriting import ANSWERS, ROOM
from edge.store import ledger
from edge.store.db import open_answers, open_room
from edge.store.journal import newest
from edge.store.mirrorlog import Kind, generations, read_log
from edge.store.pages import apply
from edge.trust import certificate
from edge.trust.roomkeys import LOST
from edge.trust.signer import write_secret

Step = Callable[[int], None]


@dataclass(frozen=True)
class Found:
    """A generation that can be restored from, as the files of a state folder."""

    path: Path
    room: str
    upto_ms: int
    databases: dict[str, bytearray]
    files: dict[str, tuple[int, bytes]]
    """name -> (mode, content)"""


def find(folder: Path, secret: bytes | None, step: Step = lambda _size: None) -> Found:
    """The newest generation of a mirror that is whole, read to its last whole record; `step` hears of bytes read.

    NotFound when there is none; Refused for a sealed one without its secret; BadInput when all are damaged.
    """
    if not (files := generations(folder)):
        raise NotFound("mirror_none", path=folder)
    damage: ExamroomError | None = None
    for file in reversed(files):
        try:
            found = _read(file, secret, step)
        except BadInput as error:
            damage = error
            continue
        if found is not None:
            return found
    raise damage or NotFound("mirror_none", path=folder)


def _read(path: Path, secret: bytes | None, step: Step) -> Found | None:
    facts, records = read_log(path, secret)
    databases: dict[str, bytearray] = {ANSWERS: bytearray(), ROOM: bytearray()}
    files: dict[str, tuple[int, bytes]] = {}
    whole, upto_ms = False, 0
    for record in records:
        step(len(record.data))
        if record.kind is Kind.PATCH and record.name in databases:
            try:
                apply(databases[record.name], record.data)
            except ValueError as error:
                raise BadInput("mirror_broken", path=path) from error
        elif record.kind is Kind.FILE:
            files[record.name] = (int.from_bytes(record.data[:2], "big"), record.data[2:])
        elif record.kind is Kind.GONE:
            files.pop(record.name, None)
        elif record.kind is Kind.WHOLE:
            whole = True
        elif record.kind is Kind.MARK:
            upto_ms = int(json.loads(record.data)["wall_ms"])
    return Found(path, str(facts["room"]), upto_ms, databases, files) if whole else None


def restore(found: Found, state: Path) -> dict[str, Any]:
    """Write the room into the empty folder `state` and check it; what was restored.

    Conflict when the folder is not empty, then nothing is written; VerificationFailed when a database is not sound.
    """
    try:
        state.mkdir(parents=True, exist_ok=True)
        if any(state.iterdir()):
            raise Conflict("restore_not_empty", path=state)
        for name, (mode, data) in found.files.items():
            _write(_inside(state, name), data, mode)
        for name, database in found.databases.items():
            _write(state / name, bytes(database), 0o644)
    except OSError as error:
        raise Unavailable("store_unavailable", path=state, detail=error) from error
    _forget_signing(state)
    try:
        return _checked(found, state)
    finally:
        _give_to_owner(state)


def _inside(state: Path, name: str) -> Path:
    place = (state / name).resolve()
    if not place.is_relative_to(state.resolve()) or place == state.resolve():
        raise BadInput("mirror_broken", path=name)
    return place


def _write(place: Path, data: bytes, mode: int) -> None:
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if place.parent.name == "keys" else 0o755)
    with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode & 0o777), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _give_to_owner(state: Path) -> None:
    """Restored by root, all of it belongs to whom the folder belongs to: the service's user on an appliance."""
    if os.geteuid() == 0:
        owner = state.stat()
        for place in state.rglob("*"):
            os.chown(place, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _forget_signing(state: Path) -> None:
    """Leave the public half where the signing key was, so that everything but signing goes on."""
    paths = Paths(state=state)
    try:
        root = bytes.fromhex((paths.trust / "root.pub").read_text().strip())
        here = certificate.check((paths.trust / "certificate.json").read_bytes(), root)
    except FileNotFoundError:
        return  # the room was never enrolled
    write_secret(paths.keys / LOST, here.public)


def _checked(found: Found, state: Path) -> dict[str, Any]:
    try:
        answers, room = open_answers(state / ANSWERS), open_room(state / ROOM)
        try:
            for name, connection in ((ANSWERS, answers), (ROOM, room)):
                said = connection.execute("PRAGMA integrity_check").fetchone()[0]
                if said != "ok":
                    raise VerificationFailed("restore_damaged", path=name, detail=said)
            entries, _ = ledger.check(room)
            ledger.note(room, "room_restored", {"upto_ms": found.upto_ms})
            operations, last_ms = newest(answers)
        finally:
            answers.close()
            room.close()
    except sqlite3.DatabaseError as error:
        raise VerificationFailed("restore_damaged", path=state, detail=error) from error
    return {
        "room": found.room,
        "from": str(found.path),
        "to": str(state),
        "mirrored_upto_ms": found.upto_ms,
        "answers": operations,
        "last_answer_ms": last_ms,
        "ledger_entries": entries,
        "files": len(found.files),
    }


@click.command("restore")
@click.option("--from", "source", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="MIRROR",
              help="第二份存储的文件夹 / the folder on the second medium.")  # fmt: skip
@click.option("--to", "target", type=click.Path(path_type=Path, file_okay=False),
              help="空文件夹；默认是本机的数据文件夹 / an empty folder; default: this box's state folder.")  # fmt: skip
@click.option("--secret", "secret_file", type=click.Path(path_type=Path, dir_okay=False),
              help="口令文件；默认用配置 / the file with its secret; default: the configuration's.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="输出一个 JSON 对象 / print one JSON object.")
@click.pass_obj
def restore_command(context: Any, source: Path, target: Path | None, secret_file: Path | None, as_json: bool) -> None:
    """从第二份存储恢复考场 / Rebuild the room from its second medium."""
    if target is None or (secret_file is None and context.config_file.exists()):
        config: Config = context.config()
        target = target or config.paths.state
        secret_file = secret_file or config.store.mirror_secret
    if target.is_dir() and any(target.iterdir()):
        raise Conflict("restore_not_empty", path=target)
    total = sum(file.stat().st_size for file in generations(source))
    with Progress(disable=as_json, transient=True) as progress:
        task = progress.add_task("读取 / reading", total=total or None)
        found = find(source, read_secret(secret_file), lambda size: progress.advance(task, size))
        progress.update(task, description="写入 / writing", completed=total)
        facts = restore(found, target)
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False, sort_keys=True))
        return
    click.echo(f"已恢复到 / restored into {facts['to']}: {facts['room']}")
    click.echo(f"第二份存储最后写入 / the medium was last written at: {clock.iso(found.upto_ms)}")
    click.echo(f"答案操作 / operations of answers: {facts['answers']} · 台账 / ledger: {facts['ledger_entries']}")
    click.echo("签成绩之前重新登记考场 / before results are signed enrol again: examroom enrol --again")
