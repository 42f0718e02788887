"""The schema of room.db as named, append-only migrations: never edit one that has shipped, add the next.

Times are milliseconds since 1970 UTC (`_ms`). Bodies and facts are canonical JSON text. Subject ids are random.
"""

from __future__ import annotations

ROOM = "room"

ROOM_MIGRATIONS = {
    "m001_room": """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE ledger (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, subject TEXT, session_id TEXT, at_ms INTEGER NOT NULL,
    entry BLOB NOT NULL
) STRICT;
CREATE INDEX ledger_kind ON ledger (kind, seq);
CREATE INDEX ledger_time ON ledger (at_ms);
CREATE INDEX ledger_session ON ledger (session_id, seq);
CREATE TABLE ledger_nodes (
    level INTEGER NOT NULL, position INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE checkpoints (
    size INTEGER PRIMARY KEY, root BLOB NOT NULL, note TEXT NOT NULL, at_ms INTEGER NOT NULL, witnessed TEXT
) STRICT;
CREATE TABLE regimes (id TEXT PRIMARY KEY, zh TEXT NOT NULL, en TEXT NOT NULL) STRICT;
INSERT INTO regimes VALUES ('skilled-worker', '技能人员职业培训', 'Skilled trades');
INSERT INTO regimes VALUES ('site-professional', '施工现场专业人员职业培训', 'Site professionals');
CREATE TABLE institutions (id TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT;
CREATE TABLE classes (
    id TEXT PRIMARY KEY, institution_id TEXT NOT NULL REFERENCES institutions,
    regime_id TEXT NOT NULL REFERENCES regimes,
    title TEXT NOT NULL, post TEXT NOT NULL, post_code TEXT, level TEXT
) STRICT;
CREATE TABLE sessions (
    id TEXT PRIMARY KEY, class_id TEXT NOT NULL REFERENCES classes, room_id TEXT NOT NULL, title TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('planned', 'checkin', 'running', 'closed', 'signed')),
    planned_ms INTEGER NOT NULL, minutes INTEGER NOT NULL, policy TEXT NOT NULL, blueprint TEXT NOT NULL,
    rubric TEXT,
    bank_file TEXT NOT NULL, bank_id TEXT NOT NULL, bank_version INTEGER NOT NULL, seed TEXT,
    opened_ms INTEGER, started_ms INTEGER, closed_ms INTEGER, signed_ms INTEGER, purge_ms INTEGER NOT NULL,
    purged_ms INTEGER
) STRICT;
CREATE TABLE seats (
    session_id TEXT NOT NULL REFERENCES sessions, seat TEXT NOT NULL, place_row INTEGER NOT NULL,
    place_column INTEGER NOT NULL, PRIMARY KEY (session_id, seat)
) STRICT;
CREATE TABLE people (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, document_type TEXT NOT NULL, document_number TEXT NOT NULL,
    salt TEXT NOT NULL,
    photo BLOB, UNIQUE (document_type, document_number)
) STRICT;
CREATE TABLE consents (
    person_id TEXT NOT NULL REFERENCES people ON DELETE CASCADE, purpose TEXT NOT NULL, given INTEGER NOT NULL,
    notice TEXT NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (person_id, purpose)
) STRICT;
CREATE TABLE templates (
    person_id TEXT NOT NULL REFERENCES people ON DELETE CASCADE, pack TEXT NOT NULL, pack_version TEXT NOT NULL,
    sealed BLOB NOT NULL, PRIMARY KEY (person_id, pack)
) STRICT;
CREATE TABLE candidates (
    session_id TEXT NOT NULL REFERENCES sessions, person_id TEXT NOT NULL REFERENCES people,
    number INTEGER NOT NULL,
    badge TEXT, seat TEXT, state TEXT NOT NULL DEFAULT 'expected'
        CHECK (state IN ('expected', 'waiting', 'admitted', 'finished', 'absent')),
    route TEXT CHECK (route IN ('face', 'manual', 'policy')), admitted_ms INTEGER, seat_code TEXT,
    extra_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (session_id, person_id), UNIQUE (session_id, badge), UNIQUE (session_id, seat),
    UNIQUE (session_id, seat_code),
    FOREIGN KEY (session_id, seat) REFERENCES seats
) STRICT;
CREATE TABLE staff (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL
        CHECK (role IN ('proctor', 'examiner', 'supervisor', 'technician')),
    badge TEXT NOT NULL UNIQUE, pin_hash TEXT NOT NULL, failures INTEGER NOT NULL DEFAULT 0, locked_until_ms INTEGER
) STRICT;
CREATE TABLE staff_sessions (
    token_hash TEXT PRIMARY KEY, staff_id TEXT NOT NULL REFERENCES staff, created_ms INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE checkins (
    id INTEGER PRIMARY KEY, session_id TEXT REFERENCES sessions, person_id TEXT, at_ms INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('admitted', 'refused', 'waiting', 'retry')), route TEXT,
    reason TEXT NOT NULL,
    score REAL, by_staff TEXT, camera TEXT, resolved_ms INTEGER, ledger_seq INTEGER NOT NULL
) STRICT;
CREATE INDEX checkins_session ON checkins (session_id, at_ms);
CREATE TABLE kiosk (
    id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL, reason TEXT NOT NULL, facts TEXT NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE kiosk_acts (
    id INTEGER PRIMARY KEY, act TEXT NOT NULL CHECK (act IN ('decline', 'consent', 'press', 'cancel')),
    at_ms INTEGER NOT NULL, done_ms INTEGER
) STRICT;
CREATE TABLE papers (
    session_id TEXT NOT NULL, person_id TEXT NOT NULL, attempt_id TEXT NOT NULL UNIQUE, seed TEXT NOT NULL,
    paper TEXT NOT NULL,
    digest TEXT NOT NULL, extra_ms INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (session_id, person_id),
    FOREIGN KEY (session_id, person_id) REFERENCES candidates
) STRICT;
CREATE TABLE test_records (
    session_id TEXT NOT NULL, person_id TEXT NOT NULL, test TEXT NOT NULL CHECK (test IN ('safety', 'theory',
    'practical')),
    state TEXT NOT NULL CHECK (state IN ('pending', 'scored', 'absent')), points REAL, full REAL,
    passed INTEGER, facts TEXT NOT NULL,
    PRIMARY KEY (session_id, person_id, test), FOREIGN KEY (session_id, person_id) REFERENCES candidates
) STRICT;
CREATE TABLE rubric_scores (
    session_id TEXT NOT NULL, person_id TEXT NOT NULL, examiner_id TEXT NOT NULL REFERENCES staff,
    marks TEXT NOT NULL,
    points INTEGER NOT NULL, vetoed INTEGER NOT NULL, signed_ms INTEGER NOT NULL, PRIMARY KEY (session_id,
    person_id, examiner_id),
    FOREIGN KEY (session_id, person_id) REFERENCES candidates
) STRICT;
CREATE TABLE incidents (
    id INTEGER PRIMARY KEY, session_id TEXT REFERENCES sessions, at_ms INTEGER NOT NULL, kind TEXT NOT NULL,
    text TEXT NOT NULL,
    by_staff TEXT, subject TEXT
) STRICT;
CREATE TABLE reasons (
    id INTEGER PRIMARY KEY, session_id TEXT NOT NULL REFERENCES sessions, kind TEXT NOT NULL, text TEXT NOT NULL,
    salt TEXT NOT NULL, sha256 TEXT NOT NULL, by_staff TEXT, at_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE results (
    epoch INTEGER NOT NULL, seq INTEGER NOT NULL, session_id TEXT NOT NULL, person_id TEXT NOT NULL,
    envelope BLOB NOT NULL,
    sha256 TEXT NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (epoch, seq), UNIQUE (session_id, person_id)
) STRICT;
CREATE TABLE outbox (
    epoch INTEGER NOT NULL, seq INTEGER NOT NULL, state TEXT NOT NULL CHECK (state IN ('waiting', 'receipted',
    'refused')),
    tries INTEGER NOT NULL DEFAULT 0, last_error TEXT, receipt BLOB, receipt_ms INTEGER, PRIMARY KEY (epoch, seq),
    FOREIGN KEY (epoch, seq) REFERENCES results
) STRICT;
CREATE TABLE segments (
    id TEXT PRIMARY KEY, camera TEXT NOT NULL, boot_id TEXT NOT NULL, sequence INTEGER NOT NULL, path TEXT NOT NULL,
    started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL, started_mono_ms INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    bytes INTEGER NOT NULL, quality TEXT NOT NULL, salvaged INTEGER NOT NULL, cause TEXT NOT NULL,
    fragments TEXT NOT NULL, digest TEXT NOT NULL, ledger_seq INTEGER NOT NULL, UNIQUE (camera, boot_id, sequence)
) STRICT;
CREATE INDEX segments_time ON segments (camera, started_ms);
CREATE TABLE bundles (
    kind TEXT NOT NULL CHECK (kind IN ('bank', 'roster', 'policy')), name TEXT NOT NULL, version INTEGER NOT NULL,
    path TEXT NOT NULL, sha256 TEXT NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (kind, name, version)
) STRICT;
""",
    "m002_papers": """
ALTER TABLE sessions ADD COLUMN local_bank_file TEXT;
ALTER TABLE sessions ADD COLUMN local_bank_id TEXT;
ALTER TABLE sessions ADD COLUMN local_bank_version INTEGER;
ALTER TABLE sessions ADD COLUMN draw TEXT
""",
    "m004_console": """
CREATE TABLE acts (
    op_id TEXT PRIMARY KEY, session_id TEXT, act TEXT NOT NULL, body_sha256 TEXT NOT NULL, by_staff TEXT NOT NULL,
    second_staff TEXT, at_ms INTEGER NOT NULL, answer TEXT NOT NULL, undone_ms INTEGER
) STRICT;
CREATE INDEX acts_session ON acts (session_id, at_ms);
CREATE TABLE session_staff (
    session_id TEXT NOT NULL REFERENCES sessions, staff_id TEXT NOT NULL REFERENCES staff, role TEXT NOT NULL
        CHECK (role IN ('proctor', 'examiner', 'supervisor', 'technician')),
    PRIMARY KEY (session_id, staff_id)
) STRICT, WITHOUT ROWID;
INSERT INTO session_staff (session_id, staff_id, role) SELECT s.id, t.id, t.role FROM sessions s, staff t;
ALTER TABLE incidents ADD COLUMN happened_ms INTEGER;
ALTER TABLE incidents ADD COLUMN seat TEXT;
ALTER TABLE incidents ADD COLUMN corrects INTEGER REFERENCES incidents
""",
    "m003_time": """
CREATE TABLE outages (
    id TEXT PRIMARY KEY, session_id TEXT NOT NULL REFERENCES sessions, from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL, elapsed_ms INTEGER NOT NULL, ms INTEGER, proposed_ms INTEGER NOT NULL,
    cause TEXT NOT NULL, quality TEXT NOT NULL, credited_ms INTEGER
) STRICT;
CREATE INDEX outages_session ON outages (session_id, elapsed_ms);
CREATE TABLE late_gates (session_id TEXT PRIMARY KEY REFERENCES sessions, at_ms INTEGER NOT NULL) STRICT
""",
    "m006_rehearsal": """
CREATE TABLE rehearsals (
    id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, candidates INTEGER NOT NULL, version TEXT NOT NULL,
    passed INTEGER NOT NULL, figures TEXT NOT NULL
) STRICT;
""",
    "m007_lockdown": """
CREATE TABLE lockdown (
    session_id TEXT NOT NULL REFERENCES sessions, person_id TEXT NOT NULL, attempt_id TEXT NOT NULL,
    tablet_id TEXT NOT NULL, kind TEXT NOT NULL, count INTEGER NOT NULL, lasted_ms INTEGER NOT NULL,
    first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, noted INTEGER NOT NULL, noted_ms INTEGER NOT NULL,
    PRIMARY KEY (attempt_id, tablet_id, kind)
) STRICT;
CREATE INDEX lockdown_session ON lockdown (session_id);
CREATE TABLE lockdown_exempt (
    session_id TEXT NOT NULL REFERENCES sessions, person_id TEXT NOT NULL, by_staff TEXT NOT NULL,
    at_ms INTEGER NOT NULL, PRIMARY KEY (session_id, person_id)
) STRICT
""",
    "m005_practical": """
CREATE TABLE rubrics (
    session_id TEXT NOT NULL REFERENCES sessions, rubric_id TEXT NOT NULL,
    test TEXT NOT NULL CHECK (test IN ('safety', 'practical')), place INTEGER NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (session_id, rubric_id)
) STRICT;
INSERT INTO rubrics (session_id, rubric_id, test, place, document)
    SELECT id, json_extract(rubric, '$.id'), 'practical', 0, rubric FROM sessions WHERE rubric IS NOT NULL;
CREATE TABLE stations (
    session_id TEXT NOT NULL, station_id TEXT NOT NULL, title TEXT NOT NULL, camera TEXT, rubric_id TEXT NOT NULL,
    place INTEGER NOT NULL, PRIMARY KEY (session_id, station_id), FOREIGN KEY (session_id, rubric_id) REFERENCES rubrics
) STRICT;
INSERT INTO stations (session_id, station_id, title, camera, rubric_id, place)
    SELECT session_id, rubric_id, '', NULL, rubric_id, place FROM rubrics;
CREATE TABLE works (
    work_id TEXT PRIMARY KEY, session_id TEXT NOT NULL, person_id TEXT NOT NULL, rubric_id TEXT NOT NULL,
    station_id TEXT NOT NULL, place INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL CHECK (state IN ('queued', 'called', 'working', 'paused', 'stopped')),
    elapsed_ms INTEGER NOT NULL, running INTEGER NOT NULL, boot_id TEXT NOT NULL, mono_ms INTEGER NOT NULL,
    acted_elapsed_ms INTEGER NOT NULL DEFAULT 0, started_ms INTEGER, stopped_ms INTEGER,
    UNIQUE (session_id, person_id, rubric_id),
    FOREIGN KEY (session_id, person_id) REFERENCES candidates,
    FOREIGN KEY (session_id, rubric_id) REFERENCES rubrics, FOREIGN KEY (session_id, station_id) REFERENCES stations
) STRICT;
CREATE INDEX works_running ON works (running) WHERE running = 1;
CREATE TABLE step_stamps (
    work_id TEXT NOT NULL REFERENCES works ON DELETE CASCADE,
    examiner_id TEXT NOT NULL REFERENCES staff, step_id TEXT NOT NULL,
    at_ms INTEGER NOT NULL, elapsed_ms INTEGER NOT NULL, camera TEXT, PRIMARY KEY (work_id, examiner_id, step_id)
) STRICT;
CREATE TABLE score_holds (
    work_id TEXT NOT NULL REFERENCES works ON DELETE CASCADE,
    examiner_id TEXT NOT NULL REFERENCES staff, tablet TEXT NOT NULL,
    since_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL, ended_ms INTEGER, PRIMARY KEY (work_id, examiner_id)
) STRICT;
CREATE TABLE score_drafts (
    id INTEGER PRIMARY KEY, work_id TEXT NOT NULL REFERENCES works ON DELETE CASCADE,
    examiner_id TEXT NOT NULL REFERENCES staff,
    tablet TEXT NOT NULL, version INTEGER NOT NULL, stale INTEGER NOT NULL, body TEXT NOT NULL, at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX score_drafts_work ON score_drafts (work_id, examiner_id);
CREATE TABLE sheets (
    sheet_id TEXT PRIMARY KEY, session_id TEXT NOT NULL, person_id TEXT NOT NULL, rubric_id TEXT NOT NULL,
    examiner_id TEXT NOT NULL REFERENCES staff, version INTEGER NOT NULL, body TEXT NOT NULL, sha256 TEXT NOT NULL,
    points INTEGER NOT NULL, full INTEGER NOT NULL, vetoed INTEGER NOT NULL, signed_ms INTEGER NOT NULL,
    UNIQUE (session_id, person_id, rubric_id, examiner_id, version),
    FOREIGN KEY (session_id, person_id) REFERENCES candidates, FOREIGN KEY (session_id, rubric_id) REFERENCES rubrics
) STRICT;
INSERT INTO sheets (sheet_id, session_id, person_id, rubric_id, examiner_id, version, body, sha256, points, full,
    vetoed, signed_ms) SELECT lower(hex(randomblob(12))), r.session_id, r.person_id, json_extract(s.rubric, '$.id'),
    r.examiner_id, 1, r.marks, '', r.points, json_extract(s.rubric, '$.points') * 100, r.vetoed, r.signed_ms
    FROM rubric_scores r JOIN sessions s ON s.id = r.session_id;
DROP TABLE rubric_scores;
CREATE TABLE sheet_signatures (
    sheet_id TEXT NOT NULL REFERENCES sheets ON DELETE CASCADE,
    who TEXT NOT NULL CHECK (who IN ('candidate', 'examiner')),
    sealed BLOB NOT NULL, PRIMARY KEY (sheet_id, who)
) STRICT;
CREATE TABLE work_pictures (
    picture_id TEXT PRIMARY KEY, work_id TEXT NOT NULL REFERENCES works ON DELETE CASCADE,
    examiner_id TEXT NOT NULL REFERENCES staff,
    sha256 TEXT NOT NULL, bytes INTEGER NOT NULL, parts INTEGER NOT NULL, width INTEGER, height INTEGER,
    sealed BLOB, at_ms INTEGER NOT NULL, UNIQUE (work_id, examiner_id, sha256)
) STRICT;
CREATE TABLE picture_parts (
    picture_id TEXT NOT NULL REFERENCES work_pictures ON DELETE CASCADE, part INTEGER NOT NULL, sealed BLOB NOT NULL,
    PRIMARY KEY (picture_id, part)
) STRICT;
CREATE TABLE rulings (
    id INTEGER PRIMARY KEY, session_id TEXT NOT NULL, person_id TEXT NOT NULL, rubric_id TEXT NOT NULL,
    sheets TEXT NOT NULL, points INTEGER NOT NULL, vetoed INTEGER NOT NULL, by_staff TEXT NOT NULL REFERENCES staff,
    at_ms INTEGER NOT NULL, void_ms INTEGER,
    FOREIGN KEY (session_id, person_id) REFERENCES candidates, FOREIGN KEY (session_id, rubric_id) REFERENCES rubrics
) STRICT;
CREATE TABLE chief_examiners (
    session_id TEXT NOT NULL REFERENCES sessions, staff_id TEXT NOT NULL REFERENCES staff, named_by TEXT,
    at_ms INTEGER NOT NULL, PRIMARY KEY (session_id, staff_id)
) STRICT
""",
    "m009_settings": """
CREATE TABLE person_settings (
    session_id TEXT NOT NULL REFERENCES sessions, person_id TEXT NOT NULL, settings TEXT NOT NULL,
    PRIMARY KEY (session_id, person_id)
) STRICT, WITHOUT ROWID
""",
    "m009_unlocks": """
CREATE TABLE unlocks (
    session_id TEXT NOT NULL REFERENCES sessions, bank TEXT NOT NULL, version INTEGER NOT NULL,
    sealed BLOB NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (session_id, bank, version)
) STRICT;
CREATE TABLE unlock_tries (
    session_id TEXT NOT NULL REFERENCES sessions, bank TEXT NOT NULL, version INTEGER NOT NULL, slip INTEGER NOT NULL,
    failures INTEGER NOT NULL, locked_until_ms INTEGER NOT NULL, PRIMARY KEY (session_id, bank, version, slip)
) STRICT
""",
    "m011_door": """
ALTER TABLE kiosk_acts ADD COLUMN v INTEGER NOT NULL DEFAULT 0
""",
    "m013_practical2": """
CREATE TABLE acts_beside (
    id INTEGER PRIMARY KEY, work_id TEXT NOT NULL REFERENCES works ON DELETE CASCADE,
    examiner_id TEXT NOT NULL REFERENCES staff, tablet TEXT NOT NULL, body TEXT NOT NULL, at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX acts_beside_work ON acts_beside (work_id, examiner_id);
CREATE TABLE part_limits (
    session_id TEXT NOT NULL REFERENCES sessions, part INTEGER NOT NULL, ms INTEGER NOT NULL,
    PRIMARY KEY (session_id, part)
) STRICT;
ALTER TABLE step_stamps ADD COLUMN recording INTEGER
""",
    "m016_rehearsal2": """
ALTER TABLE rehearsals ADD COLUMN session TEXT;
ALTER TABLE rehearsals ADD COLUMN drawn_from TEXT;
ALTER TABLE rehearsals ADD COLUMN answers INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rehearsals ADD COLUMN pace_ms INTEGER NOT NULL DEFAULT 0
""",
    "m012_papers2": """
ALTER TABLE sessions ADD COLUMN bank_short TEXT NOT NULL DEFAULT '';
CREATE TABLE item_uses (
    bank TEXT NOT NULL, item TEXT NOT NULL, session_id TEXT NOT NULL REFERENCES sessions, papers INTEGER NOT NULL,
    PRIMARY KEY (bank, item, session_id)
) STRICT, WITHOUT ROWID
""",
    "m046_enrolment": """
UPDATE consents SET purpose = 'face_1to1' WHERE purpose = 'face';
ALTER TABLE consents ADD COLUMN sha256 TEXT NOT NULL DEFAULT '';
ALTER TABLE consents ADD COLUMN via TEXT NOT NULL DEFAULT '';
ALTER TABLE people ADD COLUMN face_fault TEXT;
ALTER TABLE candidates ADD COLUMN minor INTEGER NOT NULL DEFAULT 0;
ALTER TABLE kiosk_acts ADD COLUMN purposes TEXT NOT NULL DEFAULT '';
CREATE TABLE stills (
    still_id TEXT PRIMARY KEY, session_id TEXT NOT NULL REFERENCES sessions,
    person_id TEXT NOT NULL REFERENCES people ON DELETE CASCADE, sealed BLOB NOT NULL, at_ms INTEGER NOT NULL,
    delete_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX stills_person ON stills (person_id)
""",
    "m047_footage": """
ALTER TABLE segments ADD COLUMN frames INTEGER;
ALTER TABLE segments ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;
ALTER TABLE segments ADD COLUMN lost_ms INTEGER NOT NULL DEFAULT 0;
CREATE INDEX segments_ended ON segments (camera, ended_ms);
CREATE INDEX segments_length ON segments (camera, duration_ms);
CREATE INDEX ledger_kind_time ON ledger (kind, at_ms)
""",
    # `packed`: the fragment table deflated, a third of its text; `fragments` is empty beside it. The wide index is all
    # that a list of segments reads: their rows are a page each.
    "m048_completeness": """
ALTER TABLE segments ADD COLUMN packed BLOB;
DROP INDEX segments_ended;
CREATE INDEX segments_ended ON segments (camera, ended_ms, started_ms, id, boot_id, sequence, started_mono_ms, bytes,
    quality, salvaged, cause, ledger_seq, frames, dropped, lost_ms);
CREATE INDEX segments_mono ON segments (camera, boot_id, started_mono_ms);
CREATE INDEX segments_entry ON segments (ledger_seq);
CREATE TABLE certificates (
    session_id TEXT NOT NULL REFERENCES sessions, version INTEGER NOT NULL, envelope BLOB NOT NULL,
    sha256 TEXT NOT NULL, ledger_seq INTEGER NOT NULL, made_ms INTEGER NOT NULL, PRIMARY KEY (session_id, version)
) STRICT
""",
    "m049_access": """
CREATE TABLE footage_views (
    view_id TEXT PRIMARY KEY, session_id TEXT NOT NULL REFERENCES sessions, cameras TEXT NOT NULL,
    from_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, by_id TEXT NOT NULL, ledger_seq INTEGER NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX footage_views_time ON footage_views (at_ms);
CREATE INDEX reasons_session ON reasons (session_id, kind);
CREATE TABLE passes (pass_id TEXT PRIMARY KEY, body TEXT NOT NULL, expires_ms INTEGER NOT NULL) STRICT;
CREATE TABLE pass_sessions (
    token_hash TEXT PRIMARY KEY, pass_id TEXT NOT NULL REFERENCES passes ON DELETE CASCADE,
    created_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL
) STRICT
""",
    "m050_space": """
CREATE TABLE footage_holds (
    id TEXT PRIMARY KEY, held_session TEXT, camera TEXT, from_ms INTEGER NOT NULL, until_ms INTEGER,
    why TEXT NOT NULL, salt TEXT NOT NULL, by_staff TEXT NOT NULL, at_ms INTEGER NOT NULL,
    released_ms INTEGER, released_by TEXT, released_why TEXT NOT NULL DEFAULT '', released_salt TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX footage_holds_standing ON footage_holds (released_ms) WHERE released_ms IS NULL;
CREATE TABLE inspections (
    session_id TEXT PRIMARY KEY REFERENCES sessions ON DELETE CASCADE, by_staff TEXT NOT NULL, at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX segments_space ON segments (camera, ended_ms, started_ms, bytes, duration_ms)
""",
    "m052_downloads": """
CREATE TABLE exports (
    export_id TEXT PRIMARY KEY, session_id TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE, camera TEXT NOT NULL,
    from_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, by_id TEXT NOT NULL, state TEXT NOT NULL,
    bytes INTEGER NOT NULL, sha256 TEXT, reason TEXT, facts TEXT NOT NULL DEFAULT '{}', made_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE footage_pins (
    pin_id TEXT NOT NULL, segment_id TEXT NOT NULL, until_ms INTEGER NOT NULL, PRIMARY KEY (segment_id, pin_id)
) STRICT, WITHOUT ROWID
""",
    # `timestamp`: an authority's answer (RFC 3161) over the note. Requests of the gateway's for footage are known by
    # the SHA-256 of their envelope; `parts`: the SHA-256 of each part of the exported file, as JSON.
    "m053_remote": """
ALTER TABLE checkpoints ADD COLUMN timestamp BLOB;
CREATE TABLE clip_requests (
    sha256 TEXT PRIMARY KEY, id TEXT NOT NULL, envelope BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'ready', 'sent', 'refused')), why_not TEXT,
    file TEXT, file_sha256 TEXT, size INTEGER, parts TEXT NOT NULL DEFAULT '[]',
    heard_ms INTEGER NOT NULL, done_ms INTEGER
) STRICT
""",
    # all of a row but its paper, which lies before the last columns
    "m054_live": """
CREATE INDEX papers_heads ON papers (session_id, attempt_id, person_id, seed, digest, extra_ms)
""",
    # millions of deletions in a year: one is found by its segment
    "m055_deletions": """
CREATE INDEX ledger_deleted ON ledger (json_extract(CAST(entry AS TEXT), '$.body.segment'))
    WHERE kind = 'segment-deleted'
""",
    # how often an export for the province was begun, and when it may be again
    "m056_clip_tries": """
ALTER TABLE clip_requests ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clip_requests ADD COLUMN next_ms INTEGER NOT NULL DEFAULT 0
""",
    # how often a process ended, or its networks failed, at the photograph
    "m057_photo_deaths": """
ALTER TABLE people ADD COLUMN photo_deaths INTEGER NOT NULL DEFAULT 0
""",
}
