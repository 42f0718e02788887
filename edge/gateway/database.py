"""Opening the gateway's database. SQLite gets what the room store has: WAL, synchronous=FULL, BEGIN IMMEDIATE."""

from __future__ import annotations

from typing import Any, TypeAlias

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from edge.domain.reasons import words
from edge.errors import ConfigError, Unavailable
from edge.gateway.tables import metadata
from edge.why import why

# A row: its columns are those of the query. SQLAlchemy's own generic for it changed its form between 2.0 and 2.1.
Record: TypeAlias = Any

_READ = "examroom_read"


def open_engine(url: str) -> Engine:
    """The engine for `url`, its tables made where they are missing. ConfigError for a URL no driver knows."""
    try:
        engine = create_engine(url)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        detail = words("db_driver" if isinstance(error, ModuleNotFoundError) else "db_url")
        raise ConfigError("gateway_database", detail=detail) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _settings)
        event.listen(engine, "begin", _begin)
    try:
        metadata.create_all(engine)
    except SQLAlchemyError as error:
        engine.dispose()
        raise unavailable(error) from error
    return engine


def unavailable(error: SQLAlchemyError) -> Unavailable:
    """What is said of a database that does not do what it is asked."""
    return Unavailable("gateway_store", detail=why(getattr(error, "orig", None) or error))


def reading(engine: Engine) -> Engine:
    """The same engine for statements that only read: on SQLite they wait for no writer."""
    return engine.execution_options(**{_READ: True})


def _settings(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions are ours to begin
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    read = connection.get_execution_options().get(_READ)
    connection.exec_driver_sql("BEGIN" if read else "BEGIN IMMEDIATE")
