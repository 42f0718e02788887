"""Footage that is gone: what the ledger tells of a span and the index does not have any more."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Deleted:
    """A segment that was recorded and is gone. `at_ms` and `why` (`expired` or `space`) are of its deletion's entry,
    None where the ledger has none.
    """

    segment: str
    camera: str
    from_ms: int
    until_ms: int
    at_ms: int | None
    why: str | None


def deleted_between(
    connection: sqlite3.Connection,
    from_ms: int,
    until_ms: int,
    entered: tuple[int, int],
    numbered: tuple[int, int] = (0, -1),
) -> list[Deleted]:
    """Segments with footage of (from_ms, until_ms) of wall time that are gone, in the order of the ledger.

    Looked for among the entries dated within `entered`, and among those numbered within `numbered`, whatever the clock
    said then: a segment is entered when it closes, or after a power cut when it is salvaged. It costs what there is in
    these, however much was recorded and deleted before and since.
    """
    rows = connection.execute(
        "SELECT entry FROM ledger WHERE seq IN"
        " (SELECT seq FROM ledger INDEXED BY ledger_kind_time WHERE kind = 'segment' AND at_ms BETWEEN ? AND ?"
        " UNION SELECT seq FROM ledger INDEXED BY ledger_kind WHERE kind = 'segment' AND seq BETWEEN ? AND ?)"
        " AND NOT EXISTS"
        " (SELECT 1 FROM segments s WHERE s.id = json_extract(CAST(entry AS TEXT), '$.body.segment')) ORDER BY seq",
        (*entered, *numbered),
    )
    gone = dict[str, tuple[str, int, int]]()
    for row in rows:
        body = json.loads(row["entry"])["body"]
        began, ended = _millis(body.get("started")), _millis(body.get("ended"))
        if began is not None and ended is not None and from_ms < ended and began < until_ms and began != ended:
            gone[str(body["segment"])] = str(body["camera"]), began, ended
    told = dict[str, tuple[int | None, str | None]]()
    if gone:
        for row in connection.execute(
            "SELECT at_ms, entry FROM ledger INDEXED BY ledger_deleted WHERE kind = 'segment-deleted'"
            " AND json_extract(CAST(entry AS TEXT), '$.body.segment') IN (SELECT value FROM json_each(?))",
            (json.dumps(list(gone)),),
        ):
            body = json.loads(row["entry"])["body"]
            told[str(body["segment"])] = int(row["at_ms"]), str(body.get("why", "expired"))
    return [
        Deleted(name, camera, began, ended, *told.get(name, (None, None)))
        for name, (camera, began, ended) in gone.items()
    ]


def _millis(text: object) -> int | None:
    """Wall time as the ledger writes it; None for anything else."""
    try:
        return round(datetime.fromisoformat(str(text)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
