"""Who looks at footage: views that were opened, searches, and supervisors who came with a pass of the province.

A view is a right to fetch bytes of some cameras and one span, for a while, of whoever gave the reason for it. Its
ledger entry is in the same transaction; the reason's own words are in `reasons`, where they have a date of deletion, as
those of an export are.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge import clock
from edge.domain.canonical import canonical_text
from edge.domain.keeping import MARGIN_MS, kept_spans
from edge.store import downloads, faces, ledger, records, walltime
from edge.store.db import transaction
from edge.store.downloads import Export
from edge.store.ledger import Entry

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
VIEW_LASTS_MS = 12 * HOUR_MS
SAME_SEARCH_MS = 10 * 60_000
KEEP_MS = 180 * DAY_MS
"""How long the name on a pass is kept after its end, and the words of a view or an export that came after its session's
own date of deletion."""
VIEWED, SEARCHED, EXPORTED = "footage_viewed", "footage_searched", "export"
ANSWERS = "answers_viewed"
FETCHED, DELETED = "export_fetched", "export_deleted"
_RECENT = 50


@dataclass(frozen=True)
class View:
    """What somebody may fetch: whole fragments of `cameras` that touch [from_ms, until_ms) of wall time.

    `by` is the id of a staff member, or `pass:` and the id of a pass.
    """

    id: str
    session: str
    cameras: tuple[str, ...]
    from_ms: int
    until_ms: int
    by: str
    ledger_seq: int
    at_ms: int


def open_view(
    connection: sqlite3.Connection,
    session: str,
    cameras: Sequence[str],
    from_ms: int,
    until_ms: int,
    *,
    why: str,
    by: str,
) -> View:
    """Open a view, with its entry and the words of the reason, in one transaction; the id is random."""
    view_id = secrets.token_urlsafe(16)
    names = sorted(set(cameras))
    with transaction(connection):
        digest = records.keep_reason(connection, session, VIEWED, why, by)
        body = {"cameras": names, "from_ms": from_ms, "until_ms": until_ms, "reason_sha256": digest}
        seq = ledger.append(connection, VIEWED, body, session=session, by=by)
        at_ms = clock.wall_ms()
        connection.execute(
            "INSERT INTO footage_views (view_id, session_id, cameras, from_ms, until_ms, by_id, ledger_seq, at_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (view_id, session, canonical_text(names), from_ms, until_ms, by, seq, at_ms),
        )
    return View(view_id, session, tuple(names), from_ms, until_ms, by, seq, at_ms)


def view(connection: sqlite3.Connection, view_id: str, session: str, by: str) -> View | None:
    """The view of that id, if `by` opened it for this session and it is not too old; else None."""
    row = connection.execute(
        "SELECT * FROM footage_views WHERE view_id = ? AND session_id = ? AND by_id = ?", (view_id, session, by)
    ).fetchone()
    if row is None or clock.wall_ms() - row["at_ms"] > VIEW_LASTS_MS:
        return None
    return View(
        row["view_id"],
        row["session_id"],
        tuple(json.loads(row["cameras"])),
        row["from_ms"],
        row["until_ms"],
        row["by_id"],
        row["ledger_seq"],
        row["at_ms"],
    )


def note_search(
    connection: sqlite3.Connection,
    cameras: Sequence[str],
    from_ms: int,
    until_ms: int,
    *,
    session: str | None = None,
    by: str | None = None,
) -> None:
    """A `footage_searched` entry; none where the same person has one of the same beginning since ten minutes ago.

    `by` None: at the box itself, by command. The end is not compared: that of a running session moves on.
    """
    body = {"cameras": sorted(cameras), "from_ms": from_ms, "until_ms": until_ms}
    now = clock.wall_ms()
    for entry in ledger.last(connection, SEARCHED, _RECENT):
        known = (entry.session_id, entry.content["by"], entry.body["cameras"], entry.body["from_ms"])
        if known == (session, by, body["cameras"], from_ms) and 0 <= now - entry.at_ms < SAME_SEARCH_MS:
            return
    with transaction(connection):
        ledger.append(connection, SEARCHED, body, session=session, by=by)


def note_answers(connection: sqlite3.Connection, view: View, person: str) -> None:
    """An `answers_viewed` entry: what `person` answered during the view was looked at; one for each view and person."""
    for entry in ledger.last(connection, ANSWERS, _RECENT):
        if (entry.subject, entry.body["view_seq"]) == (person, view.ledger_seq):
            return
    body = {"from_ms": view.from_ms, "until_ms": view.until_ms, "view_seq": view.ledger_seq}
    with transaction(connection):
        ledger.append(connection, ANSWERS, body, subject=person, session=view.session, by=view.by)


def note_fetch(connection: sqlite3.Connection, export: Export) -> None:
    """An `export_fetched` entry, before the first byte: whoever asked for an export takes its file away. None where it
    has one since an hour ago, for a download goes on in pieces.
    """
    now = clock.wall_ms()
    for entry in ledger.last(connection, FETCHED, _RECENT):
        if entry.body["export"] == export.id and 0 <= now - entry.at_ms < HOUR_MS:
            return
    with transaction(connection):
        _note_export(connection, FETCHED, export)


def delete_export(connection: sqlite3.Connection, export: Export) -> None:
    """Forget an export that whoever asked for it wants gone, with its `export_deleted` entry, in one transaction."""
    with transaction(connection):
        downloads.remove(connection, export.id)
        _note_export(connection, DELETED, export)


def _note_export(connection: sqlite3.Connection, kind: str, export: Export) -> None:
    """Only its own person is given an export, so the entry's `by` is who fetched or deleted it."""
    body = {"camera": export.camera, "export": export.id, "from_ms": export.from_ms, "until_ms": export.until_ms}
    ledger.append(connection, kind, body | {"sha256": export.sha256}, session=export.session, by=export.by)


def keep_words(connection: sqlite3.Connection, export_seq: int, salt: str, why: str) -> None:
    """In the transaction of an `export` entry: keep why it was made, whose digest with `salt` the entry has.

    They go with the session it is about, else with one whose footage it takes; of an export of no session's footage
    they stand in its file alone.
    """
    entry = ledger.get(connection, export_seq)
    body = entry.body
    of = entry.session_id
    if of is None or connection.execute("SELECT 1 FROM sessions WHERE id = ?", (of,)).fetchone() is None:
        of = next(iter(walltime.touching(connection, body["from_ms"], body["until_ms"], MARGIN_MS)), None)
    if of is not None:
        connection.execute(
            "INSERT INTO reasons (session_id, kind, text, salt, sha256, by_staff, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (of, EXPORTED, why, salt, body["why"], entry.content["by"], clock.wall_ms()),
        )


@dataclass(frozen=True)
class Look:
    """One entry of somebody's look at a session's footage, or of an export fetched or deleted.

    `name`: of the staff member or the holder of the pass, None once forgotten or at the box itself; `why`: the words of
    a view or an export, None once deleted and for what has none. `session`: which it was about by its entry, None for
    none.
    """

    seq: int
    kind: str
    at_ms: int
    by: str | None
    name: str | None
    cameras: tuple[str, ...]
    from_ms: int
    until_ms: int
    why: str | None
    session: str | None


def looks(connection: sqlite3.Connection, session: str) -> list[Look]:
    """Every view, search and export of the session's footage, each export fetched or deleted, and of answers beside it
    (without a camera), in order.

    Of its footage is whatever meets its time, ten minutes either side, whichever session it was asked for or for none.
    """
    kinds = (VIEWED, EXPORTED)
    words = dict(connection.execute("SELECT sha256, text FROM reasons WHERE kind IN (?, ?)", kinds).fetchall())
    names = dict(connection.execute("SELECT id, name FROM staff WHERE name <> ''").fetchall())
    names |= dict(connection.execute("SELECT 'pass:' || pass_id, json_extract(body, '$.name') FROM passes").fetchall())
    found = []
    for entry in _of_footage(connection, session):
        body, by = entry.body, entry.content["by"]
        found.append(
            Look(
                entry.seq,
                entry.kind,
                entry.at_ms,
                by,
                names.get(by),
                tuple(body["cameras"] if "cameras" in body else filter(None, [body.get("camera")])),
                int(body["from_ms"]),
                int(body["until_ms"]),
                words.get(body.get("reason_sha256", body.get("why"))),
                entry.session_id,
            )
        )
    return found


def _of_footage(connection: sqlite3.Connection, session: str) -> Iterator[Entry]:
    when = walltime.when(connection, session)
    spans = [] if when is None else kept_spans(when)
    rows = connection.execute(
        "SELECT l.seq, l.kind, l.at_ms, l.subject, l.session_id, l.entry FROM ledger l"
        " WHERE l.kind IN (?, ?, ?, ?, ?, ?) AND (l.session_id = ? OR (l.kind <> ? AND EXISTS"
        " (SELECT 1 FROM json_each(?) s WHERE"
        " json_extract(CAST(l.entry AS TEXT), '$.body.from_ms') < json_extract(s.value, '$[1]') AND"
        " json_extract(CAST(l.entry AS TEXT), '$.body.until_ms') > json_extract(s.value, '$[0]')))) ORDER BY l.seq",
        (VIEWED, SEARCHED, EXPORTED, FETCHED, DELETED, ANSWERS, session, ANSWERS, json.dumps(spans)),
    )
    return (Entry(*row) for row in rows)


# ---- passes


def sign_in(connection: sqlite3.Connection, pass_id: str, body: str, expires_ms: int, token_hash: str) -> None:
    """Keep the pass (its canonical JSON) and who came with it, in the caller's transaction."""
    now = clock.wall_ms()
    connection.execute(
        "INSERT INTO passes (pass_id, body, expires_ms) VALUES (?, ?, ?) ON CONFLICT (pass_id) DO UPDATE SET"
        " body = excluded.body, expires_ms = excluded.expires_ms",
        (pass_id, body, expires_ms),
    )
    connection.execute(
        "INSERT INTO pass_sessions (token_hash, pass_id, created_ms, seen_ms) VALUES (?, ?, ?, ?)",
        (token_hash, pass_id, now, now),
    )


def signed_in(connection: sqlite3.Connection, token_hash: str) -> tuple[str, int] | None:
    """The pass behind a token, as canonical JSON, and when its holder was last seen."""
    row = connection.execute(
        "SELECT p.body, s.seen_ms FROM pass_sessions s JOIN passes p ON p.pass_id = s.pass_id WHERE s.token_hash = ?",
        (token_hash,),
    ).fetchone()
    return None if row is None else (str(row["body"]), int(row["seen_ms"]))


def forget_due(connection: sqlite3.Connection) -> int:
    """Delete what has had its day, in the caller's transaction; how many rows.

    Views that no longer count; who came with a pass that has ended; its holder's name and the words of views and
    exports after their session's own deletion, each KEEP_MS later. The ledger keeps ids and salted digests.
    """
    now = clock.wall_ms()
    gone = connection.execute("DELETE FROM footage_views WHERE at_ms < ?", (now - VIEW_LASTS_MS,)).rowcount
    gone += connection.execute(
        "DELETE FROM pass_sessions WHERE pass_id IN (SELECT pass_id FROM passes WHERE expires_ms < ?)", (now,)
    ).rowcount
    personal = connection.execute("DELETE FROM passes WHERE expires_ms < ?", (now - KEEP_MS,)).rowcount
    personal += connection.execute(
        "DELETE FROM reasons WHERE kind IN (?, ?) AND at_ms < ? AND session_id IN"
        " (SELECT id FROM sessions WHERE purged_ms IS NOT NULL)",
        (VIEWED, EXPORTED, now - KEEP_MS),
    ).rowcount
    if personal:
        faces.note_deletion(connection)
    return gone + personal
