"""Sessions: what is planned in this room, and where each stands."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from edge import clock
from edge.domain.canonical import canonical_text
from edge.domain.reasons import words
from edge.errors import Conflict, Exists, NotFound

_STAMPS = {"checkin": "opened_ms", "running": "started_ms", "closed": "closed_ms", "signed": "signed_ms"}


@dataclass(frozen=True)
class Session:
    """One session with the policy, blueprint and rubric it was planned under."""

    id: str
    title: str
    state: str
    room: str
    planned_ms: int
    minutes: int
    policy: Mapping[str, Any]
    blueprint: Mapping[str, Any]
    rubric: Mapping[str, Any] | None
    bank_file: str
    bank_id: str
    bank_version: int
    seed: str | None
    opened_ms: int | None
    started_ms: int | None
    closed_ms: int | None
    signed_ms: int | None
    purge_ms: int
    institution: str
    class_title: str
    regime: str
    post: str
    level: str | None
    local_bank_file: str | None = None
    local_bank_id: str | None = None
    local_bank_version: int | None = None
    draw: Mapping[str, Any] | None = None
    """What papers were drawn from, beside seed and blueprint; None before the door opened."""
    unlocked: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of banks under two shares the released one, sealed by the room's data key (hex), by `unlocks.key`."""
    bank_short: str = ""
    """What its bank lacked for its papers when the roster came, in signs that both languages read."""

    @property
    def practice(self) -> bool:
        """Whether the session is for practice, by its signed policy: nothing of it counts."""
        return bool(self.policy.get("practice", False))


_QUERY = (
    "SELECT s.*, c.title AS class_title, c.regime_id, c.post, c.level, i.name AS institution,"
    " (SELECT json_group_object(u.bank || '@' || u.version, hex(u.sealed)) FROM unlocks u WHERE u.session_id = s.id)"
    " AS unlocked FROM sessions s"
    " JOIN classes c ON c.id = s.class_id JOIN institutions i ON i.id = c.institution_id"
)


def find(connection: sqlite3.Connection, session: str) -> Session:
    row = connection.execute(f"{_QUERY} WHERE s.id = ?", (session,)).fetchone()
    if row is None:
        raise NotFound("session_unknown", session=session)
    return session_of(row)


def all_sessions(connection: sqlite3.Connection, *states: str) -> list[Session]:
    """Newest planned first, narrowed to `states` where given."""
    return [session_of(row) for row in rows_of(connection, *states)]


def ids(connection: sqlite3.Connection) -> set[str]:
    """Of every session that there is, in whatever state."""
    return {row["id"] for row in connection.execute("SELECT id FROM sessions")}


def rows_of(connection: sqlite3.Connection, *states: str) -> list[sqlite3.Row]:
    """What `all_sessions` makes sessions of: rows that are equal make equal sessions, and need not be parsed again."""
    where = f"WHERE s.state IN ({', '.join('?' * len(states))})" if states else ""
    return connection.execute(f"{_QUERY} {where} ORDER BY s.planned_ms DESC, s.id", states).fetchall()


def session_of(row: sqlite3.Row) -> Session:
    return Session(
        id=row["id"],
        title=row["title"],
        state=row["state"],
        room=row["room_id"],
        planned_ms=row["planned_ms"],
        minutes=row["minutes"],
        policy=json.loads(row["policy"]),
        blueprint=json.loads(row["blueprint"]),
        rubric=json.loads(row["rubric"]) if row["rubric"] else None,
        bank_file=row["bank_file"],
        bank_id=row["bank_id"],
        bank_version=row["bank_version"],
        seed=row["seed"],
        opened_ms=row["opened_ms"],
        started_ms=row["started_ms"],
        closed_ms=row["closed_ms"],
        signed_ms=row["signed_ms"],
        purge_ms=row["purge_ms"],
        institution=row["institution"],
        class_title=row["class_title"],
        regime=row["regime_id"],
        post=row["post"],
        level=row["level"],
        local_bank_file=row["local_bank_file"],
        local_bank_id=row["local_bank_id"],
        local_bank_version=row["local_bank_version"],
        draw=json.loads(row["draw"]) if row["draw"] else None,
        unlocked=json.loads(row["unlocked"]),
        bank_short=row["bank_short"],
    )


def need_state(session: Session, *states: str) -> None:
    """Conflict unless the session is in one of `states`."""
    if session.state not in states:
        raise Conflict("session_state", state=words(f"state_{session.state}"))


@dataclass(frozen=True)
class NewSession:
    """What planning a session needs, as checked by its caller."""

    id: str
    title: str
    room: str
    planned_ms: int
    minutes: int
    policy: Mapping[str, Any]
    blueprint: Mapping[str, Any]
    rubric: Mapping[str, Any] | None
    bank_file: str
    bank_id: str
    bank_version: int
    purge_ms: int
    institution: Mapping[str, Any]
    class_: Mapping[str, Any]
    seats: list[Mapping[str, Any]]
    local_bank: tuple[str, str, int] | None = None
    """File, name and version of an institution's own bank."""


def add(connection: sqlite3.Connection, new: NewSession) -> None:
    """Insert the session with its institution, class and seats; Exists when the session exists."""
    if connection.execute("SELECT 1 FROM sessions WHERE id = ?", (new.id,)).fetchone():
        raise Exists("session_exists", session=new.id)
    connection.execute(
        "INSERT INTO institutions (id, name) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name",
        (new.institution["id"], new.institution["name"]),
    )
    group = new.class_
    _same_class(connection, new)
    connection.execute(
        "INSERT INTO classes (id, institution_id, regime_id, title, post, post_code, level)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        (
            group["id"],
            new.institution["id"],
            group["regime"],
            group["title"],
            group["post"],
            group.get("post_code"),
            group.get("level"),
        ),
    )
    connection.execute(
        "INSERT INTO sessions (id, class_id, room_id, title, state, planned_ms, minutes, policy, blueprint, rubric,"
        " bank_file, bank_id, bank_version, purge_ms) VALUES (?, ?, ?, ?, 'planned', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            new.id,
            group["id"],
            new.room,
            new.title,
            new.planned_ms,
            new.minutes,
            canonical_text(new.policy),
            canonical_text(new.blueprint),
            None if new.rubric is None else canonical_text(new.rubric),
            new.bank_file,
            new.bank_id,
            new.bank_version,
            new.purge_ms,
        ),
    )
    if new.local_bank is not None:
        connection.execute(
            "UPDATE sessions SET local_bank_file = ?, local_bank_id = ?, local_bank_version = ? WHERE id = ?",
            (*new.local_bank, new.id),
        )
    connection.executemany(
        "INSERT INTO seats (session_id, seat, place_row, place_column) VALUES (?, ?, ?, ?)",
        [(new.id, seat["seat"], seat["row"], seat["column"]) for seat in new.seats],
    )


def _same_class(connection: sqlite3.Connection, new: NewSession) -> None:
    """A class id stands for one class for ever: its results would say the wrong post otherwise."""
    row = connection.execute("SELECT * FROM classes WHERE id = ?", (new.class_["id"],)).fetchone()
    if row is None:
        return
    wanted = (
        new.institution["id"],
        *(new.class_.get(key) for key in ("regime", "title", "post", "post_code", "level")),
    )
    stored = ("institution_id", "regime_id", "title", "post", "post_code", "level")
    if tuple(row[column] for column in stored) != wanted:
        raise Conflict("class_differs", group=new.class_["id"])


def sound_wanted(connection: sqlite3.Connection) -> bool:
    """Whether a session under way, from the opening of its door to its close, has a policy that wants sound."""
    row = connection.execute(
        "SELECT 1 FROM sessions WHERE state IN ('checkin', 'running') AND json_extract(policy, '$.sound') LIMIT 1"
    ).fetchone()
    return row is not None


def set_state(connection: sqlite3.Connection, session: str, state: str) -> None:
    stamp = _STAMPS[state]
    connection.execute(
        f"UPDATE sessions SET state = ?, {stamp} = coalesce({stamp}, ?) WHERE id = ?",  # noqa: S608
        (state, clock.wall_ms(), session),
    )


def set_seed(connection: sqlite3.Connection, session: str, seed: str) -> None:
    connection.execute("UPDATE sessions SET seed = ? WHERE id = ?", (seed, session))


def set_short(connection: sqlite3.Connection, session: str, detail: str) -> None:
    connection.execute("UPDATE sessions SET bank_short = ? WHERE id = ?", (detail, session))


def set_draw(connection: sqlite3.Connection, session: str, draw: Mapping[str, Any]) -> None:
    connection.execute("UPDATE sessions SET draw = ? WHERE id = ?", (canonical_text(draw), session))


def recent_items(connection: sqlite3.Connection, session: str, count: int) -> set[str]:
    """Ids of the items on the papers of this room's last `count` real sessions that opened, `session` itself apart."""
    papers = connection.execute(
        "SELECT paper FROM papers WHERE session_id IN (SELECT id FROM sessions WHERE opened_ms IS NOT NULL AND id <> ?"
        " AND NOT coalesce(json_extract(policy, '$.practice'), 0) ORDER BY opened_ms DESC, id LIMIT ?)",
        (session, count),
    )
    return {item["id"] for row in papers for part in json.loads(row["paper"])["parts"] for item in part["items"]}


def add_paper(
    connection: sqlite3.Connection, session: str, person: str, attempt: str, seed: str, paper: str, digest: str
) -> None:
    connection.execute(
        "INSERT INTO papers (session_id, person_id, attempt_id, seed, paper, digest, extra_ms) SELECT ?, ?, ?, ?, ?, ?,"
        " extra_ms FROM candidates WHERE session_id = ? AND person_id = ?",
        (session, person, attempt, seed, paper, digest, session, person),
    )


@dataclass(frozen=True)
class Attempt:
    """One candidate's go at one session's paper. `paper` is as `edge.domain.paper.draw_paper` made it."""

    id: str
    session: str
    person: str
    seed: str
    paper: Mapping[str, Any]
    digest: str
    extra_ms: int


def attempt(connection: sqlite3.Connection, attempt_id: str) -> Attempt:
    row = connection.execute("SELECT * FROM papers WHERE attempt_id = ?", (attempt_id,)).fetchone()
    if row is None:
        raise NotFound("candidate_unknown")
    return _attempt(row)


def attempt_of(connection: sqlite3.Connection, session: str, person: str) -> Attempt | None:
    """This person's attempt, read alone; None before papers are drawn and for people of other sessions."""
    row = connection.execute(
        "SELECT * FROM papers WHERE session_id = ? AND person_id = ?", (session, person)
    ).fetchone()
    return None if row is None else _attempt(row)


def attempt_id(connection: sqlite3.Connection, session: str, person: str) -> str:
    """The id of this person's attempt; NotFound as in `attempt`."""
    row = connection.execute(
        "SELECT attempt_id FROM papers WHERE session_id = ? AND person_id = ?", (session, person)
    ).fetchone()
    if row is None:
        raise NotFound("candidate_unknown")
    return str(row["attempt_id"])


def attempts(connection: sqlite3.Connection, session: str) -> dict[str, Attempt]:
    """The session's attempts by person."""
    rows = connection.execute("SELECT * FROM papers WHERE session_id = ?", (session,))
    return {row["person_id"]: _attempt(row) for row in rows}


@dataclass(frozen=True)
class Head:
    """An attempt without its paper, which `digest` stands for: whoever holds that paper need not read it again."""

    id: str
    person: str
    seed: str
    digest: str
    extra_ms: int


def heads(connection: sqlite3.Connection, session: str) -> list[Head]:
    """The session's attempts without their papers; read from an index, which leaves out the papers' own pages."""
    rows = connection.execute(
        "SELECT attempt_id, person_id, seed, digest, extra_ms FROM papers WHERE session_id = ?", (session,)
    )
    return [Head(*row) for row in rows]


def papers_of(connection: sqlite3.Connection, attempt_ids: Iterable[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(attempt, its paper) of those that there are, one parsed after the other."""
    rows = connection.execute(
        "SELECT attempt_id, paper FROM papers WHERE attempt_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(attempt_ids)),),
    )
    return ((row["attempt_id"], json.loads(row["paper"])) for row in rows)


def _attempt(row: sqlite3.Row) -> Attempt:
    return Attempt(
        row["attempt_id"],
        row["session_id"],
        row["person_id"],
        row["seed"],
        json.loads(row["paper"]),
        row["digest"],
        row["extra_ms"],
    )
