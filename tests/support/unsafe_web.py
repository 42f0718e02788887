"""`web` as it must not be: every connection with synchronous=OFF. Shows that the durability test can fail."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

from edge.config import load_config
from edge.services.entry import run_service
from edge.store import db


def unsafe(path: Path, _connect: object = db.connect) -> sqlite3.Connection:
    connection: sqlite3.Connection = _connect(path)  # type: ignore[operator]
    connection.execute("PRAGMA synchronous = OFF")
    return connection


if __name__ == "__main__":
    db.connect = unsafe  # type: ignore[assignment]
    run_service(load_config(Path(sys.argv[1])), "web")
