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
    "m003_time": """
CREATE TABLE journal_timed (
    n INTEGER PRIMARY KEY, op_id TEXT NOT NULL UNIQUE, attempt_id TEXT NOT NULL, tablet_id TEXT NOT NULL,
    tablet_seq INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('answer', 'handin', 'part')), item_id TEXT NOT NULL,
    base_version INTEGER NOT NULL, value TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('applied', 'stale', 'late')), version INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    elapsed_ms INTEGER NOT NULL, own_ms INTEGER, age_ms INTEGER, grace INTEGER,
    UNIQUE (attempt_id, tablet_id, tablet_seq)
) STRICT;
INSERT INTO journal_timed (n, op_id, attempt_id, tablet_id, tablet_seq, kind, item_id, base_version, value, outcome,
    version, at_ms, elapsed_ms) SELECT n, op_id, attempt_id, tablet_id, tablet_seq, kind, item_id, base_version, value,
    outcome, version, at_ms, elapsed_ms FROM journal;
CREATE TABLE responses_timed (
    attempt_id TEXT NOT NULL, item_id TEXT NOT NULL, version INTEGER NOT NULL, value TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    n INTEGER NOT NULL REFERENCES journal_timed, PRIMARY KEY (attempt_id, item_id)
) STRICT, WITHOUT ROWID;
INSERT INTO responses_timed SELECT attempt_id, item_id, version, value, at_ms, n FROM responses;
CREATE TABLE handins_timed (
    attempt_id TEXT PRIMARY KEY, n INTEGER NOT NULL REFERENCES journal_timed, at_ms INTEGER NOT NULL, by TEXT NOT NULL
) STRICT;
INSERT INTO handins_timed SELECT attempt_id, n, at_ms, by FROM handins;
DROP TABLE responses;
DROP TABLE handins;
DROP TABLE journal;
ALTER TABLE journal_timed RENAME TO journal;
ALTER TABLE responses_timed RENAME TO responses;
ALTER TABLE handins_timed RENAME TO handins;
ALTER TABLE exam_clock ADD COLUMN op_id TEXT;
CREATE TABLE own_clocks (
    attempt_id TEXT PRIMARY KEY, late_ms INTEGER, paused_ms INTEGER NOT NULL, paused_at_ms INTEGER, op_id TEXT
) STRICT;
CREATE TABLE parts_opened (
    attempt_id TEXT NOT NULL, part INTEGER NOT NULL, elapsed_ms INTEGER NOT NULL, own_ms INTEGER NOT NULL,
    PRIMARY KEY (attempt_id, part)
) STRICT, WITHOUT ROWID;
CREATE TABLE outages (
    n INTEGER PRIMARY KEY, session_id TEXT NOT NULL, elapsed_ms INTEGER NOT NULL, ms INTEGER, cause TEXT NOT NULL,
    from_wall_ms INTEGER NOT NULL, to_wall_ms INTEGER NOT NULL, quality TEXT NOT NULL,
    told INTEGER NOT NULL DEFAULT 0
) STRICT
""",
    "m004_console": """
CREATE INDEX journal_kept ON journal (attempt_id) WHERE kind = 'answer' AND outcome IN ('stale', 'late')
""",
    "m009_tablets": """
ALTER TABLE bindings ADD COLUMN device TEXT;
ALTER TABLE bindings ADD COLUMN other_ms INTEGER;
CREATE TABLE tablet_settings (attempt_id TEXT PRIMARY KEY, settings TEXT NOT NULL) STRICT
""",
    "m013_practical2": """
ALTER TABLE journal ADD COLUMN flag TEXT;
ALTER TABLE outages ADD COLUMN boot_id TEXT;
ALTER TABLE outages ADD COLUMN mono_ms INTEGER
""",
    # asked every two seconds by the thread that commits answers; there is one more digest for each, for years
    "m054_live": """
CREATE INDEX digests_unledgered ON digests (upto_n, from_n) WHERE ledger_seq IS NULL
""",
}
