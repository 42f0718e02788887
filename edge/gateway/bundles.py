"""Publishing: content is kept once, sealed for the rooms it is for, and sealed again for rooms that enrol later."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, and_, func, insert, select

from edge import clock
from edge.errors import BadInput, Conflict, NotFound
from edge.gateway import releasing
from edge.gateway.database import Record, reading
from edge.gateway.rooms import Caller
from edge.gateway.settings import DAY_MS, Province
from edge.gateway.tables import epochs, publications, rooms, sealed
from edge.trust.certificate import RoomId
from edge.trust.protocol import SKEW_MS, BundleItem, BundleList, BundleName
from edge.trust.seal import Kind, seal_bundle
from edge.trust.shares import Content


def publish(
    province: Province,
    kind: Kind,
    name: str,
    content: bytes,
    audience: Sequence[str] | None,
    *,
    version: int | None = None,
    not_before_ms: int | None = None,
    days: int = 365,
    facts: Mapping[str, Any] | None = None,
    codes: tuple[str, str] | None = None,
) -> BundleItem:
    """Publish a new version for the rooms of `audience` (None: every room, later ones too).

    With `codes` it is put under two shares: rooms get one; the other is released by us or had from the two codes.

    The version is the next one where none is given. Conflict when a given version is not above the last;
    NotFound for a room nobody issued a token for. The item describes the content, not a sealed file.
    """
    _check_names(kind, name, audience)
    now = clock.wall_ms()
    sha256 = hashlib.sha256(content).hexdigest()
    file = Path(kind) / name / f"{sha256}.content"
    write_file(province.bundles / file, content)
    with province.engine.begin() as connection:
        for room in audience or ():
            if connection.execute(select(rooms.c.room).where(rooms.c.room == room)).first() is None:
                raise NotFound("room_unknown", room=room)
        last = connection.execute(
            select(func.coalesce(func.max(publications.c.version), 0)).where(
                publications.c.kind == kind, publications.c.name == name
            )
        ).scalar_one()
        number = last + 1 if version is None else version
        if number <= last:
            raise Conflict("bundle_older", name=name, version=number, have=last)
        connection.execute(
            insert(publications).values(
                kind=kind,
                name=name,
                version=number,
                audience=json.dumps(None if audience is None else sorted(set(audience))),
                content_file=str(file),
                content_sha256=sha256,
                # a room whose clock lags by what we tolerate in a request may open it at once
                not_before_ms=now - SKEW_MS if not_before_ms is None else not_before_ms,
                expires_ms=now + days * DAY_MS,
                facts=json.dumps(dict(facts or {}), ensure_ascii=False),
                created_ms=now,
            )
        )
        if codes is not None:
            releasing.keep_share(connection, Content(kind, name, number, sha256), codes)
        publication = _publication(connection, kind, name, number)
        _seal(province, connection, publication, _recipients(connection, publication))
    return BundleItem(kind=kind, name=name, version=number, sha256=sha256, size=len(content))


def bundles_for(province: Province, caller: Caller) -> BundleList:
    """What the room may fetch: every version that has not expired, sealed for its present key."""
    now = clock.wall_ms()
    with reading(province.engine).connect() as connection:
        lacking = bool(_lacking(connection, caller, now))
    if lacking:
        with province.engine.begin() as connection:
            for publication in _lacking(connection, caller, now):
                _seal(province, connection, publication, _recipients(connection, publication))
    query = (
        select(sealed)
        .join(publications, _same(publications))
        .where(sealed.c.room == caller.room, sealed.c.epoch == caller.epoch, publications.c.expires_ms > now)
        .order_by(sealed.c.kind, sealed.c.name, sealed.c.version)
    )
    with reading(province.engine).connect() as connection:
        rows = connection.execute(query).all()
    return BundleList(
        bundles=[BundleItem(kind=r.kind, name=r.name, version=r.version, sha256=r.sha256, size=r.size) for r in rows]
    )


def bundle_file(province: Province, caller: Caller, kind: str, name: str, version: int) -> tuple[Path, str]:
    """Path and SHA-256 of one sealed file of the room. NotFound when the room has no such bundle."""
    query = select(sealed).where(
        sealed.c.kind == kind,
        sealed.c.name == name,
        sealed.c.version == version,
        sealed.c.room == caller.room,
        sealed.c.epoch == caller.epoch,
    )
    with reading(province.engine).connect() as connection:
        row = connection.execute(query).first()
    if row is None:
        raise NotFound("bundle_unknown", name=name, version=version)
    return province.bundles / row.file, row.sha256


def _check_names(kind: str, name: str, audience: Sequence[str] | None) -> None:
    try:
        TypeAdapter(BundleName).validate_python(name)
        TypeAdapter(list[RoomId]).validate_python(list(audience or ()))
    except ValidationError as error:
        raise BadInput("bundle_name", name=name[:80]) from error
    if kind not in get_args(Kind):
        raise BadInput("bundle_name", name=kind[:80])


def _publication(connection: Connection, kind: str, name: str, version: int) -> Record:
    where = and_(publications.c.kind == kind, publications.c.name == name, publications.c.version == version)
    return connection.execute(select(publications).where(where)).one()


def _same(table: Any) -> Any:
    return and_(sealed.c.kind == table.c.kind, sealed.c.name == table.c.name, sealed.c.version == table.c.version)


def _lacking(connection: Connection, caller: Caller, now: int) -> list[Record]:
    """Publications meant for the caller that are not sealed for its present key."""
    mine = and_(_same(publications), sealed.c.room == caller.room, sealed.c.epoch == caller.epoch)
    query = select(publications).outerjoin(sealed, mine).where(publications.c.expires_ms > now, sealed.c.room.is_(None))
    return [row for row in connection.execute(query) if _meant_for(row, caller.room)]


def _meant_for(publication: Record, room: str) -> bool:
    audience = json.loads(publication.audience)
    return audience is None or room in audience


def _recipients(connection: Connection, publication: Record) -> dict[str, tuple[int, bytes]]:
    """Rooms the publication is for whose present key it is not sealed for yet: (epoch, public key) by room."""
    done = and_(
        sealed.c.kind == publication.kind,
        sealed.c.name == publication.name,
        sealed.c.version == publication.version,
        sealed.c.room == epochs.c.room,
        sealed.c.epoch == epochs.c.epoch,
    )
    query = (
        select(epochs.c.room, epochs.c.epoch, epochs.c.seal_key)
        .join(rooms, and_(rooms.c.room == epochs.c.room, rooms.c.epoch == epochs.c.epoch))
        .outerjoin(sealed, done)
        .where(sealed.c.room.is_(None), rooms.c.suspended_ms.is_(None))
    )
    return {
        row.room: (row.epoch, bytes.fromhex(row.seal_key))
        for row in connection.execute(query)
        if _meant_for(publication, row.room)
    }


def _seal(
    province: Province, connection: Connection, publication: Record, recipients: Mapping[str, tuple[int, bytes]]
) -> None:
    """One sealed file for all `recipients`; the file is whole on disk before its rows are."""
    if not recipients:
        return
    kind, name, version = publication.kind, publication.name, publication.version
    content = (province.bundles / publication.content_file).read_bytes()
    data = seal_bundle(
        kind,
        name,
        version,
        content,
        {room: public for room, (_, public) in recipients.items()},
        [province.root],
        not_before_ms=publication.not_before_ms,
        expires_ms=publication.expires_ms,
        facts=json.loads(publication.facts),
        shared=releasing.shared_of(connection, kind, name, version),
    )
    sha256 = hashlib.sha256(data).hexdigest()
    file = Path(kind) / name / f"{version}-{sha256[:16]}.bundle"
    write_file(province.bundles / file, data)
    common = {"kind": kind, "name": name, "version": version, "file": str(file), "sha256": sha256, "size": len(data)}
    rows = [{**common, "room": room, "epoch": epoch} for room, (epoch, _) in recipients.items()]
    connection.execute(insert(sealed), rows)


def write_file(path: Path, data: bytes) -> None:
    """Whole or not at all, and on disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part", delete=False) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
