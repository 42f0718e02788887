"""Opening the gateway's database. SQLite gets what the room store has: WAL, synchronous=FULL, BEGIN IMMEDIATE."""

from __future__ import annotations

from typing import Any, TypeAlias

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from edge.errors import ConfigError, Unavailable
from edge.gateway.tables import metadata

# A row: its columns are those of the query. SQLAlchemy's own generic for it changed its form between 2.0 and 2.1.
Record: TypeAlias = Any

_READ = "examroom_read"


def open_engine(url: str) -> Engine:
    """The engine for `url`, its tables made where they are missing. ConfigError for a URL no driver knows."""
    try:
        engine = create_engine(url)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigError("gateway_database", detail=error) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _settings)
        event.listen(engine, "begin", _begin)
    try:
        metadata.create_all(engine)
    except SQLAlchemyError as error:
        engine.dispose()
        raise Unavailable("gateway_store", detail=type(error).__name__) from error
    return engine


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
