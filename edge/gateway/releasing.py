"""Releasing the second share of a bank: to a room that has it, near a session the gateway knows of; each is noted."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, and_, insert, select

from edge import clock
from edge.errors import NotFound, Refused
from edge.gateway.database import Record, reading
from edge.gateway.rooms import Caller
from edge.gateway.settings import DAY_MS, Province
from edge.gateway.tables import publications, releases, sealed, shares
from edge.trust.protocol import Grant, ReleaseRequest, release_info, sign_release
from edge.trust.seal import seal_to
from edge.trust.shares import Content, Release, Shared, share_out

MINUTE_MS = 60_000


def keep_share(connection: Connection, content: Content, codes: tuple[str, str]) -> None:
    """A new second share for a version that is being published, in the caller's transaction."""
    made = share_out(content, codes, gateway=True)
    row = {"kind": content.kind, "name": content.name, "version": content.version, "share": made.share.hex()}
    connection.execute(insert(shares).values(**row, release=made.release.model_dump_json()))


def shared_of(connection: Connection, kind: str, name: str, version: int) -> Shared | None:
    """The second share of a version; None where it has but one."""
    where = and_(shares.c.kind == kind, shares.c.name == name, shares.c.version == version)
    row = connection.execute(select(shares).where(where)).first()
    return None if row is None else Shared(bytes.fromhex(row.share), Release.model_validate_json(row.release))


def release(province: Province, caller: Caller, wanted: ReleaseRequest) -> bytes:
    """The signed release, sealed to the room's key. NotFound where there is nothing to release, Refused too early.

    Its time: `release_minutes` before a session of this room that the room's rosters plan with this bank, up to a day
    after; for a bank that no roster of the room names, from the bank's own first day on.
    """
    now = clock.wall_ms()
    with reading(province.engine).connect() as connection:
        shared = shared_of(connection, "bank", wanted.name, wanted.version)
        publication = _published(connection, caller, wanted)
        if shared is None or publication is None or publication.expires_ms <= now:
            raise NotFound("release_unknown", name=wanted.name, version=wanted.version)
        planned = sorted(_planned(province.bundles, connection, caller, wanted))
    lead = province.settings.release_minutes * MINUTE_MS
    _need_time(wanted.name, publication.not_before_ms, planned, lead, now)
    info = release_info(caller.room, caller.epoch, wanted.name, wanted.version)
    grant = Grant(
        room=caller.room,
        epoch=caller.epoch,
        name=wanted.name,
        version=wanted.version,
        session=wanted.session,
        share=base64.b64encode(seal_to(caller.certificate.seal_public, shared.share, info)).decode(),
        time_ms=now,
    )
    envelope = sign_release(grant, province.key)
    noted = grant.model_dump(exclude={"share"})
    with province.engine.begin() as connection:
        connection.execute(insert(releases).values(**noted, sha256=hashlib.sha256(envelope).hexdigest()))
    return envelope


def _need_time(name: str, not_before_ms: int, planned: list[int], lead: int, now: int) -> None:
    if planned:
        if now >= not_before_ms and any(at - lead <= now <= at + DAY_MS for at in planned):
            return
        coming = [at - lead for at in planned if at + DAY_MS >= now]
        if not coming:
            raise Refused("release_no_session", name=name)
        opens_ms = max(not_before_ms, coming[0])
    else:
        opens_ms = not_before_ms
    if now < opens_ms:
        at = datetime.fromtimestamp(opens_ms / 1000).astimezone().isoformat(sep=" ", timespec="minutes")
        raise Refused("release_early", name=name, at=at)


def _published(connection: Connection, caller: Caller, wanted: ReleaseRequest) -> Record | None:
    """The bank's publication, when it is sealed for the caller's present key."""
    query = (
        select(publications)
        .join(sealed, _same())
        .where(
            publications.c.kind == "bank",
            publications.c.name == wanted.name,
            publications.c.version == wanted.version,
            sealed.c.room == caller.room,
            sealed.c.epoch == caller.epoch,
        )
    )
    return connection.execute(query).first()


def _planned(folder: Path, connection: Connection, caller: Caller, wanted: ReleaseRequest) -> Iterator[int]:
    """When the rosters sealed for this room plan a session with this bank (ms)."""
    query = (
        select(publications.c.content_file)
        .join(sealed, _same())
        .where(publications.c.kind == "roster", sealed.c.room == caller.room, sealed.c.epoch == caller.epoch)
    )
    for row in connection.execute(query):
        try:
            roster = json.loads((folder / row.content_file).read_bytes())
            refs = [roster.get("bank"), roster.get("local_bank")]
            if {"name": wanted.name, "version": wanted.version} in refs:
                yield int(roster["session"]["planned_ms"])
        except (OSError, ValueError, OverflowError, KeyError, TypeError, AttributeError):
            continue  # a roster no room could use plans nothing


def _same() -> Any:
    return and_(
        sealed.c.kind == publications.c.kind,
        sealed.c.name == publications.c.name,
        sealed.c.version == publications.c.version,
    )
