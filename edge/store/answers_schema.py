"""The schema of answers.db, written by `web` alone: everything a candidate's answer needs to be acknowledged."""

from __future__ import annotations

ANSWERS = "answers"

ANSWERS_MIGRATIONS = {
    "m001_answers": """
CREATE TABLE bindings (
    id INTEGER PRIMARY KEY, attempt_id TEXT NOT NULL, tablet_id TEXT NOT NULL, secret_hash TEXT NOT NULL UNIQUE,
    bound_ms INTEGER NOT NULL, released_ms INTEGER
) STRICT;
CREATE UNIQUE INDEX one_active_tablet ON bindings (attempt_id) WHERE released_ms IS NULL;
CREATE TABLE journal (
    n INTEGER PRIMARY KEY, op_id TEXT NOT NULL UNIQUE, attempt_id TEXT NOT NULL, tablet_id TEXT NOT NULL,
    tablet_seq INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('answer', 'handin')), item_id TEXT NOT NULL,
    base_version INTEGER NOT NULL, value TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('applied', 'stale', 'late')), version INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    elapsed_ms INTEGER NOT NULL, UNIQUE (attempt_id, tablet_id, tablet_seq)
) STRICT;
CREATE TABLE responses (
    attempt_id TEXT NOT NULL, item_id TEXT NOT NULL, version INTEGER NOT NULL, value TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    n INTEGER NOT NULL REFERENCES journal, PRIMARY KEY (attempt_id, item_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE handins (
    attempt_id TEXT PRIMARY KEY, n INTEGER NOT NULL REFERENCES journal, at_ms INTEGER NOT NULL, by TEXT NOT NULL
) STRICT;
CREATE TABLE exam_clock (
    session_id TEXT PRIMARY KEY, elapsed_ms INTEGER NOT NULL, running INTEGER NOT NULL, boot_id TEXT NOT NULL,
    mono_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE digests (
    upto_n INTEGER PRIMARY KEY, from_n INTEGER NOT NULL, digest TEXT NOT NULL, ledger_seq INTEGER
) STRICT;
""",
}
