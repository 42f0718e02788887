"""Alarms and the request log: what the province must notice, and what arrived how often. No personal data is shown."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, and_, insert, select, update

from edge import clock
from edge.gateway.tables import alarms, requests


def raise_alarm(
    connection: Connection, room: str, epoch: int, code: str, subject: str, evidence: bytes | None = None
) -> None:
    """Add an alarm, or count one more of the same. The caller holds the room's row, so there is no race."""
    now = clock.wall_ms()
    same = and_(alarms.c.room == room, alarms.c.epoch == epoch, alarms.c.code == code, alarms.c.subject == subject)
    if connection.execute(select(alarms.c.id).where(same)).first() is not None:
        connection.execute(update(alarms).where(same).values(last_ms=now, count=alarms.c.count + 1))
        return
    connection.execute(
        insert(alarms).values(
            room=room,
            epoch=epoch,
            code=code,
            subject=subject,
            first_ms=now,
            last_ms=now,
            count=1,
            evidence=evidence,
        )
    )


def log_request(
    connection: Connection, room: str, method: str, route: str, status: int, count: int, shas: Sequence[str] = ()
) -> None:
    """One line of the request log; `route` is the rule, `shas` the SHA-256 of each thing that arrived or left."""
    connection.execute(
        insert(requests).values(
            time_ms=clock.wall_ms(),
            room=room,
            method=method,
            route=route,
            status=status,
            count=count,
            shas=json.dumps(list(shas)),
        )
    )
