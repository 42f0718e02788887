"""Opening the two databases and writing to them in one way: WAL, synchronous=FULL, BEGIN IMMEDIATE, short.

`transaction` is the only place that starts a write. Inside it there is no I/O but SQL, so that no other process
waits longer than a few milliseconds for the room store.
"""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from edge.errors import Unavailable
from edge.store.answers_schema import ANSWERS, ANSWERS_MIGRATIONS
from edge.store.room_schema import ROOM, ROOM_MIGRATIONS
from edge.why import why

BUSY_MS = 5000
SHORT_BUSY_MS = 1000
"""For processes that must be able to stop while another holds the store."""
ROOM_STORE = "room store"
_PRIMARY = 0xFF
_DISK = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}


def open_room(path: Path) -> sqlite3.Connection:
    """The room store at `path`, created and migrated where needed. Unavailable when the disk does not let us."""
    return _open(path, ROOM, ROOM_MIGRATIONS)


def open_answers(path: Path) -> sqlite3.Connection:
    """The answer journal at `path`. Only `web` opens it for writing."""
    return _open(path, ANSWERS, ANSWERS_MIGRATIONS)


def _open(path: Path, name: str, migrations: Mapping[str, str]) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _prepare(path, name, migrations)
        connection = connect(path)
        if not _up_to_date(connection, name, migrations):
            connection.close()
            _prepare(path, name, migrations)
            connection = connect(path)
    except (OSError, sqlite3.Error) as error:
        raise Unavailable("store_unavailable", path=path, detail=why(error)) from error
    return connection


def _prepare(path: Path, name: str, migrations: Mapping[str, str]) -> None:
    """Create or migrate the file; of several processes that start at once, one does it and the others wait."""
    with path.with_suffix(".migrating").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        connection = connect(path)
        try:
            if not _up_to_date(connection, name, migrations):
                _migrate(connection, name, migrations)
        finally:
            connection.close()


def _up_to_date(connection: sqlite3.Connection, name: str, migrations: Mapping[str, str]) -> bool:
    """Whether nothing is pending, asked without a write lock: a stopped writer must not hold up a start."""
    table = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone()
    if not table[0]:
        return False
    applied = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", (name,))
    return set(migrations) <= {row["name"] for row in applied}


def _migrate(connection: sqlite3.Connection, name: str, migrations: Mapping[str, str]) -> None:
    """Apply what is pending, each migration and its record in one transaction."""
    # imported when there is something to migrate: every start of every process would wait for it otherwise
    import sqlite_utils

    pending = sqlite_utils.Migrations(name)
    for step, script in migrations.items():
        pending(name=step)(_runner(script))
    pending.apply(sqlite_utils.Database(connection))


def _runner(script: str) -> Callable[[Any], None]:
    """One statement at a time: executescript would commit the migration's transaction."""

    def run(db: Any) -> None:
        for statement in script.split(";\n"):
            if statement.strip():
                db.execute(statement)

    return run


def connect(path: Path) -> sqlite3.Connection:
    """A connection with the settings every connection must have; transactions are ours alone to start."""
    connection = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")  # Debian's default; deletion by date rests on it
    return connection


def patience(connection: sqlite3.Connection, milliseconds: int) -> None:
    """How long this connection waits for another writer before Unavailable."""
    connection.execute(f"PRAGMA busy_timeout = {int(milliseconds)}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """One durable write: BEGIN IMMEDIATE ... COMMIT, rolled back whole on any error.

    Unavailable, and nothing written: `store_busy` while another process writes, `store_unavailable` where the disk is
    full or fails, at whichever statement that shows.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        raise _unavailable(error) or Unavailable("store_busy", detail=why(error)) from error
    try:
        yield connection
    except BaseException as error:
        _roll_back(connection)
        if (told := _unavailable(error)) is not None:
            raise told from error
        raise
    try:
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        _roll_back(connection)
        raise Unavailable("store_unavailable", path=ROOM_STORE, detail=why(error)) from error


def _roll_back(connection: sqlite3.Connection) -> None:
    """SQLite has done it by itself after a full disk; a disk that fails here too has told its error already."""
    with suppress(sqlite3.Error):
        connection.rollback()


def _unavailable(error: BaseException) -> Unavailable | None:
    """What to say where the store, and not the statement, is at fault; None for every other error."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & _PRIMARY if isinstance(error, sqlite3.Error) else 0
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Unavailable("store_busy", detail=why(error))
    if code in _DISK:
        return Unavailable("store_unavailable", path=ROOM_STORE, detail=why(error))
    return None


def data_version(connection: sqlite3.Connection) -> int:
    """Changes when another connection has committed: how a process learns of change without a broker."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])
