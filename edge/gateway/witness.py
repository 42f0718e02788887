"""The witness: it countersigns a room's tree head only where that extends the last one it saw (C2SP tlog-witness)."""

from __future__ import annotations

from sqlalchemy import update

from edge import clock
from edge.domain import merkle
from edge.errors import Conflict, ExamroomError, VerificationFailed
from edge.gateway.alarms import log_request, raise_alarm
from edge.gateway.rooms import Caller, epoch_row, lock_room
from edge.gateway.settings import Province
from edge.gateway.tables import epochs
from edge.trust.checkpoint import cosign, open_note
from edge.trust.protocol import CheckpointRequest


def witness(province: Province, caller: Caller, request: CheckpointRequest, route: str) -> str:
    """The note with our signature added.

    Conflict `checkpoint_old_size` (with the size we saw): prove from there. Conflict `checkpoint_smaller` or
    `checkpoint_fork`: the tree shrank or changed, which is alarmed. The size seen is on disk before the signature
    leaves.
    """
    origin = caller.certificate.origin
    head = open_note(request.note, {origin: caller.certificate.public})
    if head.origin != origin:
        raise VerificationFailed("checkpoint_signature", signer=origin)
    refusal: ExamroomError | None = None
    with province.engine.begin() as connection:
        lock_room(connection, caller.room)
        seen = epoch_row(connection, caller.room, caller.epoch)
        seen_root = bytes.fromhex(seen.seen_root) if seen.seen_root else merkle.EMPTY_ROOT
        if head.size >= seen.seen_size and request.old_size != seen.seen_size:
            refusal = Conflict("checkpoint_old_size", size=seen.seen_size)
        elif not merkle.verify_consistency(
            seen.seen_size, head.size, seen_root, head.root, [bytes.fromhex(step) for step in request.proof]
        ):
            code = "checkpoint_smaller" if head.size < seen.seen_size else "checkpoint_fork"
            subject = f"size {head.size} after {seen.seen_size}"
            raise_alarm(connection, caller.room, caller.epoch, code, subject, request.note.encode())
            refusal = Conflict(code, room=caller.room, size=head.size, seen=seen.seen_size)
        else:
            connection.execute(
                update(epochs)
                .where(epochs.c.room == caller.room, epochs.c.epoch == caller.epoch)
                .values(seen_size=head.size, seen_root=head.root.hex(), seen_note=request.note, seen_ms=clock.wall_ms())
            )
        log_request(connection, caller.room, "POST", route, 200 if refusal is None else refusal.status, 1)
    if refusal is not None:
        raise refusal
    return cosign(request.note, province.settings.name, province.key)
