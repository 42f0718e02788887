"""Rooms and their epochs: tokens, enrolment, authentication, suspension."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError
from sqlalchemy import Connection, and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from edge import clock
from edge.errors import BadInput, Conflict, NotFound, NotSignedIn, Refused
from edge.gateway.alarms import log_request, raise_alarm
from edge.gateway.database import Record, reading
from edge.gateway.settings import DAY_MS, Province
from edge.gateway.tables import epochs, nonces, results, rooms, tokens
from edge.trust import certificate as certificates
from edge.trust.certificate import Certificate
from edge.trust.protocol import (
    SKEW_MS,
    EnrolAnswer,
    EnrolRequest,
    RoomStatus,
    SeenTree,
    check_authorization,
    check_enrol_proof,
    read_authorization,
)
from edge.trust.seal import seal_to
from edge.trust.token import is_for, new_token, token_hash


@dataclass(frozen=True)
class Caller:
    """A room that has proved who it is."""

    room: str
    epoch: int
    certificate: Certificate
    suspended: bool


def issue_token(province: Province, room: str, institution: str, days: int | None = None) -> str:
    """A one-time token for `room`, kept as its hash only. BadInput when the names cannot stand in a certificate."""
    now = clock.wall_ms()
    expires = now + (province.settings.token_days if days is None else days) * DAY_MS
    _certificate(province, room, institution, 1, "0" * 64, "0" * 64)
    token = new_token(province.root.public)
    with province.engine.begin() as connection:
        known = connection.execute(select(rooms.c.room).where(rooms.c.room == room)).first()
        if known is None:
            row = {"room": room, "institution": institution, "epoch": 0, "created_ms": now}
            connection.execute(insert(rooms).values(row))
        connection.execute(
            insert(tokens).values(
                token_sha256=token_hash(token), room=room, institution=institution, created_ms=now, expires_ms=expires
            )
        )
    return token


def enrol(province: Province, request: EnrolRequest) -> EnrolAnswer:
    """Turn a token and new keys into a certificate, once; the same keys may ask again.

    Refused: unknown, expired or spent token. Conflict: the keys served elsewhere. VerificationFailed: no proof.
    BadInput: a key that nothing can be sealed to.
    """
    check_enrol_proof(request)
    _need_sealable(request.seal_key)
    if not is_for(request.token, province.root.public):
        raise Refused("token_unknown")
    with province.engine.begin() as connection:
        token = connection.execute(
            select(tokens).where(tokens.c.token_sha256 == token_hash(request.token)).with_for_update()
        ).first()
        if token is None:
            raise Refused("token_unknown")
        lock_room(connection, token.room)
        if token.used_ms is None:
            envelope, refusal = _open_epoch(province, connection, token, request), None
        else:
            envelope, refusal = _enrolled_before(connection, token, request)
        status = 200 if refusal is None else refusal.status
        log_request(connection, token.room, "POST", "/v1/enrol", status, 1)
    if refusal is not None:
        raise refusal
    return EnrolAnswer(
        certificate=envelope.decode(), root=province.root.public.hex(), gateway=province.statement.decode()
    )


def _need_sealable(seal_key: str) -> None:
    """A key of small order would take no seal, and with it no room would get the bundle sealed for all of them."""
    try:
        seal_to(bytes.fromhex(seal_key), b"", b"enrolment")
    except ValueError as error:
        raise BadInput("seal_key_wrong") from error


def _enrolled_before(connection: Connection, token: Record, request: EnrolRequest) -> tuple[bytes, Refused | None]:
    """The certificate this token gave, where the keys are the same; else the refusal, with its alarm noted."""
    epoch = epoch_row(connection, token.room, token.epoch)
    if (epoch.sign_key, epoch.seal_key) == (request.sign_key, request.seal_key):
        return bytes(epoch.certificate), None
    raise_alarm(connection, token.room, token.epoch, "token_used", request.sign_key[:16])
    return b"", Refused("token_used", room=token.room)


def _open_epoch(province: Province, connection: Connection, token: Record, request: EnrolRequest) -> bytes:
    now = clock.wall_ms()
    if now > token.expires_ms:
        raise Refused("token_expired")
    last = connection.execute(select(rooms.c.epoch).where(rooms.c.room == token.room)).scalar_one()
    number = last + 1
    certificate = _certificate(province, token.room, token.institution, number, request.sign_key, request.seal_key)
    envelope = certificates.issue(certificate, province.root)
    _close_epoch(connection, token.room, last, now)
    try:
        connection.execute(
            insert(epochs).values(
                room=token.room,
                epoch=number,
                certificate=envelope,
                sign_key=request.sign_key,
                seal_key=request.seal_key,
                opened_ms=now,
                contiguous_to=0,
                seen_size=0,
            )
        )
    except IntegrityError as error:
        raise Conflict("keys_reused") from error
    connection.execute(
        update(rooms).where(rooms.c.room == token.room).values(epoch=number, institution=token.institution)
    )
    connection.execute(
        update(tokens).where(tokens.c.token_sha256 == token.token_sha256).values(used_ms=now, epoch=number)
    )
    return envelope


def _close_epoch(connection: Connection, room: str, epoch: int, now: int) -> None:
    """The old epoch ends at its last receipt: what has one keeps it, nothing new is taken."""
    last = select(func.coalesce(func.max(results.c.seq), 0)).where(results.c.room == room, results.c.epoch == epoch)
    connection.execute(
        update(epochs)
        .where(epochs.c.room == room, epochs.c.epoch == epoch)
        .values(closed_ms=now, closed_seq=connection.execute(last).scalar_one())
    )


def _certificate(
    province: Province, room: str, institution: str, epoch: int, sign_key: str, seal_key: str
) -> Certificate:
    now = clock.wall_ms()
    try:
        return Certificate(
            room=room,
            epoch=epoch,
            institution=institution,
            issuer=province.settings.title,
            sign_key=sign_key,
            seal_key=seal_key,
            not_before_ms=now,
            not_after_ms=now + province.settings.certificate_days * DAY_MS,
        )
    except ValidationError as error:
        raise BadInput("room_name_wrong", room=room[:80]) from error


def lock_room(connection: Connection, room: str) -> Record:
    """The room's row, held until the transaction ends: one writer a room. NotFound when there is no such room."""
    row = connection.execute(select(rooms).where(rooms.c.room == room).with_for_update()).first()
    if row is None:
        raise NotFound("room_unknown", room=room)
    return row


def epoch_row(connection: Connection, room: str, epoch: int) -> Record:
    row = connection.execute(select(epochs).where(and_(epochs.c.room == room, epochs.c.epoch == epoch))).first()
    if row is None:
        raise NotFound("room_unknown", room=room)
    return row


def authenticate(
    province: Province, header: str | None, room: str, method: str, target: str, body: Callable[[], bytes]
) -> Caller:
    """Who signed this request; `body` is asked for only where a room we know is named. NotSignedIn for a bad, late or
    repeated signature; Refused for another room's path.

    A signature that holds but whose clock is off answers `clock_skew`; the error body carries our time, so a room
    with a wrong clock can sign again by ours without touching its own.
    """
    claim = read_authorization(header)
    now = clock.wall_ms()
    with reading(province.engine).connect() as connection:
        row = connection.execute(
            select(epochs, rooms.c.epoch.label("current"), rooms.c.suspended_ms)
            .join(rooms, rooms.c.room == epochs.c.room)
            .where(epochs.c.room == claim.room, epochs.c.epoch == claim.epoch)
        ).first()
    if row is None:
        raise NotSignedIn("request_signature")
    check_authorization(claim, bytes.fromhex(row.sign_key), method, target, body())
    if claim.room != room:
        raise Refused("request_other_room", room=room)
    if claim.epoch != row.current:
        raise Refused("epoch_closed", room=room, epoch=claim.epoch)
    if abs(now - claim.time_ms) > SKEW_MS:
        raise NotSignedIn("clock_skew", minutes=SKEW_MS // 60_000)
    certificate = certificates.check(bytes(row.certificate), province.root.public, now)
    _remember(province, room, claim.nonce, now)
    return Caller(room, claim.epoch, certificate, row.suspended_ms is not None)


def _remember(province: Province, room: str, nonce: str, now: int) -> None:
    try:
        with province.engine.begin() as connection:
            connection.execute(delete(nonces).where(nonces.c.time_ms < now - 2 * SKEW_MS))
            connection.execute(insert(nonces).values(room=room, nonce=nonce, time_ms=now))
    except IntegrityError as error:
        raise NotSignedIn("request_repeated") from error


def room_status(province: Province, caller: Caller) -> RoomStatus:
    with reading(province.engine).connect() as connection:
        row = connection.execute(select(rooms).where(rooms.c.room == caller.room)).one()
        epoch = epoch_row(connection, caller.room, caller.epoch)
    return RoomStatus(
        room=caller.room,
        epoch=caller.epoch,
        suspended=row.suspended_ms is not None,
        reason=row.suspended_reason,
        contiguous_to=epoch.contiguous_to,
        seen=seen_tree(epoch),
        gateway=province.statement.decode(),
        time_ms=clock.wall_ms(),
    )


def seen_tree(epoch: Record) -> SeenTree | None:
    """The last tree head witnessed in this epoch."""
    return None if epoch.seen_root is None else SeenTree(size=epoch.seen_size, root=epoch.seen_root)


def suspend(province: Province, room: str, reason: str | None) -> None:
    """Suspend a room with a reason, or lift it with None. It still delivers results; it is given no bundles."""
    with province.engine.begin() as connection:
        lock_room(connection, room)
        at = None if reason is None else clock.wall_ms()
        connection.execute(update(rooms).where(rooms.c.room == room).values(suspended_ms=at, suspended_reason=reason))
