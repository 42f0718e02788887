"""Taking results in: each stored once under (room, epoch, number), each answered with its one receipt."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, insert, select, tuple_, update

from edge import clock
from edge.domain.reasons import is_words
from edge.errors import Conflict, ExamroomError, NotFound, Refused
from edge.gateway.alarms import log_request, raise_alarm
from edge.gateway.database import Record, reading
from edge.gateway.rooms import lock_room, seen_tree
from edge.gateway.settings import Province
from edge.gateway.tables import epochs, results
from edge.trust import dsse
from edge.trust.protocol import IN_ENGLISH, ErrorBody, Receipt, ResultHead, ResultItem, result_head, sign_receipt


@dataclass(frozen=True)
class _Arrival:
    """One envelope whose signature holds."""

    head: ResultHead
    sha256: str
    envelope: bytes

    @property
    def key(self) -> tuple[int, int]:
        return self.head.epoch, self.head.seq


@dataclass
class _Epoch:
    """What a batch does to one epoch: the numbers it adds, and how far they now run without a hole."""

    row: Record
    added: set[int] = field(default_factory=set)
    contiguous_to: int = 0


def accept(province: Province, room: str, envelopes: Sequence[str], route: str) -> list[ResultItem]:
    """Verify and store a batch in one transaction and say of each envelope what became of it.

    An envelope that cannot be what it claims is refused by itself and does not hold up the others. Signatures are
    verified before the transaction begins; what the database decides (known, fork, closed epoch) is decided inside.
    """
    publics = _publics(province, room)
    checked = [_verify(text.encode(), room, publics) for text in envelopes]
    shas = [hashlib.sha256(text.encode()).hexdigest() for text in envelopes]
    with province.engine.begin() as connection:
        lock_room(connection, room)
        items = _store(province, connection, room, checked)
        log_request(connection, room, "POST", route, 200, len(envelopes), shas)
    return items


def _publics(province: Province, room: str) -> dict[int, bytes]:
    """The room's signing key in each of its epochs."""
    with reading(province.engine).connect() as connection:
        rows = connection.execute(select(epochs.c.epoch, epochs.c.sign_key).where(epochs.c.room == room)).all()
    return {row.epoch: bytes.fromhex(row.sign_key) for row in rows}


def _verify(envelope: bytes, room: str, publics: dict[int, bytes]) -> _Arrival | ExamroomError:
    try:
        head = result_head(envelope)
        if head.room != room:
            raise Refused("result_room", room=head.room)
        public = publics.get(head.epoch)
        if public is None:
            raise NotFound("epoch_unknown", room=room, epoch=head.epoch)
        dsse.open_envelope(envelope, dsse.RESULT, [public])
    except ExamroomError as error:
        return error
    return _Arrival(head, hashlib.sha256(envelope).hexdigest(), envelope)


def _store(
    province: Province, connection: Connection, room: str, checked: Sequence[_Arrival | ExamroomError]
) -> list[ResultItem]:
    arrivals = [one for one in checked if isinstance(one, _Arrival)]
    known = _known(connection, room, arrivals)
    touched = _plan(connection, room, arrivals, known)
    now = clock.wall_ms()
    rows: list[dict[str, object]] = []
    items: list[ResultItem] = []
    for one in checked:
        if isinstance(one, ExamroomError):
            items.append(_refused(one))
            continue
        stored = known.get(one.key)
        epoch = touched[one.head.epoch]
        if stored is None and epoch.row.closed_ms is not None:
            items.append(_refused(Refused("epoch_closed", room=room, epoch=one.head.epoch)))
        elif stored is None:
            receipt = _receipt(province, one, epoch, now)
            known[one.key] = (one.sha256, receipt)
            rows.append(_row(one, receipt, now))
            items.append(ResultItem(status=200, outcome="stored", receipt=receipt.decode(), error=None))
        elif stored[0] == one.sha256:
            items.append(ResultItem(status=200, outcome="repeated", receipt=stored[1].decode(), error=None))
        else:
            subject = f"result {one.head.seq} {one.sha256[:16]}"
            raise_alarm(connection, room, one.head.epoch, "result_fork", subject, one.envelope)
            items.append(_refused(Conflict("result_fork", room=room, epoch=one.head.epoch, seq=one.head.seq)))
    if rows:
        connection.execute(insert(results), rows)
    for number, epoch in touched.items():
        if epoch.added:
            connection.execute(
                update(epochs)
                .where(epochs.c.room == room, epochs.c.epoch == number)
                .values(contiguous_to=epoch.contiguous_to)
            )
    return items


def _known(connection: Connection, room: str, arrivals: Sequence[_Arrival]) -> dict[tuple[int, int], tuple[str, bytes]]:
    """SHA-256 and receipt of what is stored already, by (epoch, number)."""
    if not arrivals:
        return {}
    query = select(results.c.epoch, results.c.seq, results.c.sha256, results.c.receipt).where(
        results.c.room == room, tuple_(results.c.epoch, results.c.seq).in_({one.key for one in arrivals})
    )
    return {(row.epoch, row.seq): (row.sha256, bytes(row.receipt)) for row in connection.execute(query)}


def _plan(
    connection: Connection, room: str, arrivals: Sequence[_Arrival], known: dict[tuple[int, int], tuple[str, bytes]]
) -> dict[int, _Epoch]:
    """Each epoch of the batch, with the numbers it will gain."""
    touched: dict[int, _Epoch] = {}
    for row in connection.execute(
        select(epochs).where(epochs.c.room == room, epochs.c.epoch.in_({one.head.epoch for one in arrivals}))
    ):
        fresh = {one.head.seq for one in arrivals if one.head.epoch == row.epoch and one.key not in known}
        epoch = _Epoch(row, fresh if row.closed_ms is None else set(), row.contiguous_to)
        held = set(epoch.added)
        if epoch.contiguous_to + 1 in held:
            later = select(results.c.seq).where(
                results.c.room == room, results.c.epoch == row.epoch, results.c.seq > row.contiguous_to
            )
            held.update(connection.execute(later).scalars())
        while epoch.contiguous_to + 1 in held:
            epoch.contiguous_to += 1
        touched[row.epoch] = epoch
    return touched


def _receipt(province: Province, one: _Arrival, epoch: _Epoch, now: int) -> bytes:
    receipt = Receipt(
        room=one.head.room,
        epoch=one.head.epoch,
        seq=one.head.seq,
        body_sha256=one.sha256,
        tree_head=seen_tree(epoch.row),
        contiguous_to=epoch.contiguous_to,
        time_ms=now,
    )
    return sign_receipt(receipt, province.key)


def _row(one: _Arrival, receipt: bytes, now: int) -> dict[str, object]:
    return {
        "room": one.head.room,
        "epoch": one.head.epoch,
        "seq": one.head.seq,
        "sha256": one.sha256,
        "envelope": one.envelope,
        "receipt": receipt,
        "time_ms": now,
    }


def _refused(error: ExamroomError) -> ResultItem:
    return ResultItem(status=error.status, outcome="refused", receipt=None, error=error_body(error))


def error_body(error: ExamroomError) -> ErrorBody:
    """A refusal as both sides know it."""
    facts: dict[str, str | int] = {}
    for name, value in error.facts.items():
        if isinstance(value, Mapping) and is_words(value):
            facts |= {name: value["zh"][:200], name + IN_ENGLISH: value["en"][:200]}
        else:
            facts[name] = value if isinstance(value, int) else str(value)[:200]
    return ErrorBody(
        error=error.code, zh=error.sentence("zh"), en=error.sentence("en"), facts=facts, time_ms=clock.wall_ms()
    )
