"""`examroom restore`: the room on a spare machine, from its second medium alone.

What stands on the medium is said in `edge.exam.mirror`. The restored room can go on with a running session at once: its
banks open, its tablets' cookies and its TLS certificate hold, if the spare takes the room's address, which is told. It
cannot sign: the signing key was on no medium. Before results are signed it enrols again, with a new key and a new
epoch, so that no two boxes ever sign as one.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress

from edge import clock
from edge.config import Config, Paths
from edge.domain.reasons import words
from edge.errors import BadInput, ExamroomError, Exists, NotFound, Unavailable, VerificationFailed
from edge.exam.mirror import read_secret
from edge.exam.mirroraside import PARTS, ROOM, TLS, TLS_FILES
from edge.exam.mirrorwriting import ANSWERS
from edge.store import ledger
from edge.store.db import open_answers, open_room, transaction
from edge.store.journal import ledgered, newest, unset_ledgered
from edge.store.mirrorlog import Kind, LogReader, Record, generations
from edge.store.pages import apply
from edge.store.refusals import notes_refusals
from edge.trust import certificate, roomtls
from edge.trust.roomkeys import LOST
from edge.trust.signer import write_secret
from edge.why import why

Step = Callable[[int], None]


@dataclass
class Found:
    """A generation that can be restored from, as the files of a state folder and of the folder of certificates."""

    path: Path
    room: str = ""
    upto_ms: int = 0
    databases: dict[str, bytearray] = field(default_factory=lambda: {ANSWERS: bytearray(), ROOM: bytearray()})
    files: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """name -> (mode, content)"""
    tls: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """The same for the certificates of the pages and their keys."""
    whole: bool = False
    unread: int = 0
    """Bytes at the end of the file that were not read: the record that a power cut tore, or all behind damage."""
    broken: bool = False
    """Whether whole records stand behind what could not be read."""
    parts: dict[str, list[bytes]] = field(default_factory=dict)

    def take(self, record: Record) -> None:
        """One record more. ValueError for a patch that is none."""
        kind, name, data = record
        if kind is Kind.PART:
            self.parts.setdefault(name, []).append(data)
        elif kind is Kind.PATCH and name in self.databases:
            for patch in (*self.parts.pop(name, ()), data):
                apply(self.databases[name], patch)
        elif kind is Kind.FILE:
            content = b"".join((*self.parts.pop(name, ()), data[2:]))
            self._place(name)[name.removeprefix(TLS)] = int.from_bytes(data[:2], "big"), content
        elif kind is Kind.GONE:
            self.parts.pop(name, None)
            if data != PARTS:
                self._place(name).pop(name.removeprefix(TLS), None)
        elif kind is Kind.WHOLE:
            self.whole = True
        elif kind is Kind.MARK:
            self.upto_ms = int(json.loads(data)["wall_ms"])

    def _place(self, name: str) -> dict[str, tuple[int, bytes]]:
        return self.tls if name.startswith(TLS) else self.files


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
        if found.whole:
            return found
        if found.broken:
            damage = BadInput("mirror_broken", path=file)
    raise damage or NotFound("mirror_none", path=folder)


def _read(path: Path, secret: bytes | None, step: Step) -> Found:
    reader = LogReader(path, secret)
    found = Found(path, str(reader.facts["room"]))
    for record in reader:
        step(len(record.data))
        try:
            found.take(record)
        except ValueError as error:
            raise BadInput("mirror_broken", path=path) from error
    found.unread, found.broken = reader.unread, reader.broken
    return found


def restore(found: Found, state: Path, tls: Path | None = None, *, force: bool = False) -> dict[str, Any]:
    """Write the room into the empty folder `state` and check it; what was restored.

    Its certificates go into `tls`, by default `state`/tls; what stands there is moved into a folder beside it.
    Exists when `state` is not empty, and VerificationFailed when the medium is damaged in its midst, unless `force`:
    then nothing is written; VerificationFailed also when a database is not sound.
    """
    if found.broken and not force:
        raise VerificationFailed("mirror_damaged", path=found.path, unread=found.unread)
    tls = tls or state / "tls"
    try:
        state.mkdir(parents=True, exist_ok=True)
        if any(state.iterdir()):
            raise Exists("restore_not_empty", path=state)
        aside = _make_way(tls, found)
        for name, (mode, data) in found.files.items():
            _write(_inside(state, name), data, mode)
        for name, (mode, data) in found.tls.items():
            _write(_inside(tls, name), data, mode)
        for name, database in found.databases.items():
            _write(state / name, database, 0o644)
    except OSError as error:
        raise Unavailable("store_unavailable", path=error.filename or state, detail=why(error)) from error
    _forget_signing(state)
    try:
        return _checked(found, state) | _reached(found, tls, aside)
    finally:
        _give_to_owner(state)


def _make_way(tls: Path, found: Found) -> Path | None:
    """Move the certificates that the spare has made for itself into a folder of their own; which one."""
    if not found.tls:
        return None
    tls.mkdir(parents=True, exist_ok=True, mode=0o750)
    there = [tls / name for name in TLS_FILES if (tls / name).exists()]
    if not there:
        return None
    aside = tls / f"before-{clock.wall_ms()}"
    aside.mkdir(mode=0o700)
    for file in there:
        file.rename(aside / file.name)
    return aside


def _reached(found: Found, tls: Path, aside: Path | None) -> dict[str, Any]:
    """The names and addresses at which tablets trust the restored room."""
    if not found.tls:
        return {"tls": None, "names": [], "addresses": []}
    here = roomtls.load(tls)
    names = [name for name in here.names if name != "localhost"]
    addresses = [str(one) for one in here.addresses if not one.is_loopback]
    return {"tls": str(tls), "tls_before": aside and str(aside), "names": names, "addresses": addresses}


def _inside(state: Path, name: str) -> Path:
    place = (state / name).resolve()
    if not place.is_relative_to(state.resolve()) or place == state.resolve():
        raise BadInput("mirror_broken", path=name)
    return place


def _write(place: Path, data: bytes | bytearray, mode: int) -> None:
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
                    raise VerificationFailed("restore_damaged", path=name, detail=words("db_CORRUPT"))
            entries, _ = ledger.check(room)
            again = _without_entry(answers, room)
            ledger.note(room, "room_restored", {"upto_ms": found.upto_ms})
            operations, last_ms = newest(answers)
        finally:
            answers.close()
            room.close()
    except sqlite3.DatabaseError as error:
        raise VerificationFailed("restore_damaged", path=state, detail=why(error)) from error
    return {
        "room": found.room,
        "from": str(found.path),
        "to": str(state),
        "mirrored_upto_ms": found.upto_ms,
        "answers": operations,
        "last_answer_ms": last_ms,
        "ledger_entries": entries,
        "digests_again": again,
        "unread_bytes": found.unread,
        "files": len(found.files),
    }


def _without_entry(answers: sqlite3.Connection, room: sqlite3.Connection) -> int:
    """Take back from digests of answers the entry that the restored ledger, mirrored a little behind, has not.

    How many: `web` enters them again when it starts.
    """
    entries = ledger.entries(room, kinds=("answers",), limit=1 << 62)
    entered = {entry.seq: (entry.body["upto"], entry.body["sha256"]) for entry in entries}
    missing = [one.upto_n for one, seq in ledgered(answers) if entered.get(seq) != (one.upto_n, one.digest)]
    with transaction(answers):
        unset_ledgered(answers, missing)
    return len(missing)


@notes_refusals("restore")
def _need_empty(_context: Any, target: Path) -> None:
    """Whoever would restore over a room that is there is noted in its ledger."""
    if target.is_dir() and any(target.iterdir()):
        raise Exists("restore_not_empty", path=target)


@click.command("restore")
@click.option("--from", "source", type=click.Path(path_type=Path, file_okay=False), required=True,
              metavar="MIRROR", help="第二份存储的文件夹 / the folder on the second medium.")  # fmt: skip
@click.option("--to", "target", type=click.Path(path_type=Path, file_okay=False),
              help="空文件夹；默认是本机的数据文件夹 / an empty folder; default: this box's state folder.")  # fmt: skip
@click.option("--tls", "tls", type=click.Path(path_type=Path, file_okay=False),
              help="证书文件夹；默认用配置，有 --to 时是其中的 tls / "
                   "where the certificates go; default: the configuration's, with --to its tls.")  # fmt: skip
@click.option("--secret", "secret_file", type=click.Path(path_type=Path, dir_okay=False),
              help="口令文件；默认用配置 / the file with its secret; default: the configuration's.")  # fmt: skip
@click.option("--force", is_flag=True, help="存储中间有损坏也恢复损坏之前的部分 / restore what comes before damage.")
@click.option("--json", "as_json", is_flag=True, help="输出一个 JSON 对象 / print one JSON object.")
@click.pass_obj
def restore_command(
    context: Any,
    source: Path,
    target: Path | None,
    tls: Path | None,
    secret_file: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """从第二份存储恢复考场 / Rebuild the room from its second medium."""
    if not source.is_dir():
        raise NotFound("restore_from_nothing", path=source)
    if target is None or (secret_file is None and context.config_file.exists()):
        config: Config = context.config()
        tls = tls or (config.paths.tls if target in (None, config.paths.state) else None)
        target = target or config.paths.state
        secret_file = secret_file or config.store.mirror_secret
    _need_empty(context, target)
    total = sum(file.stat().st_size for file in generations(source))
    with Progress(disable=as_json, transient=True) as progress:
        task = progress.add_task("读取 / reading", total=total or None)
        found = find(source, read_secret(secret_file), lambda size: progress.advance(task, size))
        progress.update(task, description="写入 / writing", completed=total)
        facts = restore(found, target, tls, force=force)
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False, sort_keys=True))
        return
    click.echo(f"已恢复到 / restored into {facts['to']}: {facts['room']}")
    click.echo(f"第二份存储最后写入 / the medium was last written at: {clock.iso(found.upto_ms)}")
    click.echo(f"答案操作 / operations of answers: {facts['answers']} · 台账 / ledger: {facts['ledger_entries']}")
    if found.unread:
        click.echo(f"末尾没有读出的字节 / bytes at the end that could not be read: {found.unread}")
    if facts["tls"]:
        reached = " ".join((*facts["addresses"], *facts["names"]))
        click.echo(f"网页证书 / certificates of the pages: {facts['tls']}")
        click.echo(f"备用机要用原来的地址，平板才认得 / tablets trust the spare at the room's own address: {reached}")
    else:
        click.echo("存储上没有网页证书，平板要重新设置 / no certificates on the medium: set the tablets up again")
    click.echo("签成绩之前重新登记考场 / before results are signed enrol again: examroom enrol --again")
