"""Sending results and taking receipts. A result leaves the outbox against a verified receipt and nothing less.

Network and store take turns: rows are read, the request is made with no transaction open, and what came back is
verified and stored in one transaction. Whatever is cut off in between is sent again and answered the same.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from edge.errors import BadInput, Conflict, ExamroomError, Unavailable, VerificationFailed
from edge.store import ledger, outbox
from edge.store.db import transaction
from edge.store.outbox import Outgoing
from edge.trust.enrolment import Identity
from edge.trust.protocol import (
    MAX_BATCH,
    MAX_ENVELOPE,
    ReceiptsFile,
    ResultItem,
    ResultsFile,
    open_gateway_key,
    open_receipt,
)
from edge.uplink.client import GatewayClient

_MAX_BYTES = 8 * 1024 * 1024
_FILE_BATCH = 1000
# what the gateway will say again however often it is asked; everything else goes on waiting
_FINAL = {400, 403, 404, 409, 422}


@dataclass(frozen=True)
class Sent:
    """What one round of sending came to. `new` were receipted by it, `same` gave back the receipt already held."""

    sent: int = 0
    new: int = 0
    same: int = 0
    refused: int = 0
    error: str | None = None

    def plus(self, other: Sent) -> Sent:
        return Sent(
            self.sent + other.sent,
            self.new + other.new,
            self.same + other.same,
            self.refused + other.refused,
            other.error or self.error,
        )


def send_waiting(connection: sqlite3.Connection, client: GatewayClient, identity: Identity) -> Sent:
    """Send every waiting result, a batch at a time. Raises what the line raises, once the tries are noted.

    A receipt that does not verify leaves its result waiting and is told in `error`.
    """
    total = Sent()
    while True:
        batch = _fitting(outbox.waiting(connection, MAX_BATCH))
        if not batch:
            return total
        done = _send(connection, client, identity, batch)
        total = total.plus(done)
        if done.new + done.refused == 0:
            return total  # nothing moved: the next round, not this one, tries again


def resend_all(connection: sqlite3.Connection, client: GatewayClient, identity: Identity) -> Sent:
    """Send every result again, whatever its state; each receipt must be the one we hold, byte for byte."""
    total = Sent()
    at = (0, 0)
    while batch := _fitting(outbox.after(connection, at, MAX_BATCH)):
        at = batch[-1].key
        small = [one for one in batch if len(one.envelope) <= MAX_ENVELOPE]
        total = total.plus(_send(connection, client, identity, small) if small else Sent())
    return total


def export(connection: sqlite3.Connection, identity: Identity) -> ResultsFile:
    """The waiting results as one file for a room without a line."""
    envelopes: list[str] = []
    at = (0, 0)
    while batch := outbox.after(connection, at, _FILE_BATCH):
        at = batch[-1].key
        envelopes += [
            one.envelope.decode() for one in batch if one.state == "waiting" and len(one.envelope) <= MAX_ENVELOPE
        ]
    return ResultsFile(format="examroom-results-1", room=identity.certificate.room, envelopes=envelopes)


def import_receipts(connection: sqlite3.Connection, identity: Identity, file: ReceiptsFile) -> Sent:
    """Take the receipts a gateway wrote for an exported file, once all of them hold: one that does not and none is
    taken. BadInput for another room's file; VerificationFailed for what is not ours or not the gateway's.
    """
    if file.room != identity.certificate.room:
        raise BadInput("file_other_room", room=file.room)
    public = open_gateway_key(file.gateway.encode(), identity.root_public).public
    # a refusal on a stick is signed by nobody: the result goes on waiting
    items = [item for item in file.items if item.receipt is not None]
    for item in items:
        _verified(identity, public, _row_of(connection, public, item), item)
    total = Sent()
    for start in range(0, len(items), _FILE_BATCH):  # short transactions; cut off, it is imported again
        pairs = [(_row_of(connection, public, item), item) for item in items[start : start + _FILE_BATCH]]
        total = total.plus(_settle(connection, identity, public, pairs))
    return total


def _row_of(connection: sqlite3.Connection, public: bytes, item: ResultItem) -> Outgoing:
    receipt = open_receipt((item.receipt or "").encode(), public)
    row = outbox.find(connection, receipt.epoch, receipt.seq)
    if row is None:
        raise VerificationFailed("receipt_wrong", seq=receipt.seq)
    return row


def _fitting(batch: Sequence[Outgoing]) -> list[Outgoing]:
    """The beginning of `batch` that fits one request; at least one, so that a large result is told of, not stuck."""
    fitting: list[Outgoing] = []
    size = 0
    for one in batch:
        size += len(one.envelope)
        if fitting and size > _MAX_BYTES:
            break
        fitting.append(one)
    return fitting


def _send(connection: sqlite3.Connection, client: GatewayClient, identity: Identity, batch: Sequence[Outgoing]) -> Sent:
    if identity.gateway is None:
        raise Unavailable("gateway_unset")
    too_large = [one for one in batch if len(one.envelope) > MAX_ENVELOPE]
    if too_large:
        return _refuse(connection, [(one, "result_too_large") for one in too_large])
    try:
        answer = client.send_results([one.envelope for one in batch])
    except ExamroomError as error:
        if error.code != "uplink_stopping":
            with transaction(connection):
                outbox.failed(connection, [one.key for one in batch], error.code)
        raise
    pairs = list(zip(batch, answer.items, strict=True))
    return _settle(connection, identity, identity.gateway.public, pairs)


def _settle(
    connection: sqlite3.Connection, identity: Identity, public: bytes, pairs: Sequence[tuple[Outgoing, ResultItem]]
) -> Sent:
    """Verify each answer, then store all that hold, with their ledger entries, in one transaction."""
    good: list[tuple[Outgoing, bytes]] = []
    refused: list[tuple[Outgoing, str]] = []
    wrong: list[tuple[Outgoing, str]] = []
    for row, item in pairs:
        try:
            good.append((row, _verified(identity, public, row, item)))
        except Conflict as error:
            refused.append((row, error.code))
        except ExamroomError as error:
            wrong.append((row, error.code))
    new = same = 0
    turned_away = _refuse(connection, refused)
    with transaction(connection):
        for row, receipt in good:
            if outbox.receipted(connection, row.epoch, row.seq, receipt):
                new += 1
                body = {"epoch": row.epoch, "seq": row.seq, "sha256": row.sha256, "receipt_sha256": _sha256(receipt)}
                ledger.append(connection, "receipt", body)
            else:
                same += 1
        outbox.failed(connection, [row.key for row, _ in wrong], wrong[0][1] if wrong else "")
    error_code = wrong[0][1] if wrong else turned_away.error
    return Sent(len(pairs), new, same, turned_away.refused, error_code)


def _refuse(connection: sqlite3.Connection, rows: Sequence[tuple[Outgoing, str]]) -> Sent:
    """Note results that will never be taken as they are; they stay, and `uplink resend` offers them again."""
    noted = 0
    if rows:
        with transaction(connection):
            for row, code in rows:
                if outbox.refused(connection, row.epoch, row.seq, code):
                    noted += 1
                    body = {"epoch": row.epoch, "seq": row.seq, "sha256": row.sha256, "reason": code}
                    ledger.append(connection, "result_refused", body)
    return Sent(refused=noted, error=rows[0][1] if rows else None)


def _verified(identity: Identity, public: bytes, row: Outgoing, item: ResultItem) -> bytes:
    """The receipt of `row`. Conflict with the gateway's code where it refused for good; else what does not hold."""
    if item.receipt is None:
        code = item.error.error if item.error is not None else "gateway_refused"
        if item.status in _FINAL:
            raise Conflict(code)
        raise Unavailable(code)
    envelope = item.receipt.encode()
    receipt = open_receipt(envelope, public)
    told = (receipt.room, receipt.epoch, receipt.seq, receipt.body_sha256)
    if told != (identity.certificate.room, row.epoch, row.seq, row.sha256):
        raise VerificationFailed("receipt_wrong", seq=row.seq)
    if row.receipt is not None and row.receipt != envelope:
        raise VerificationFailed("receipt_wrong", seq=row.seq)
    return envelope


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
