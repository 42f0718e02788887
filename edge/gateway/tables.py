"""The gateway's tables (SQLAlchemy Core), the same on SQLite and PostgreSQL. Times are ms since 1970 UTC."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text, UniqueConstraint

metadata = MetaData()

rooms = Table(
    "rooms",
    metadata,
    Column("room", String(64), primary_key=True),
    Column("institution", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),  # 0 until the first enrolment
    Column("created_ms", BigInteger, nullable=False),
    Column("suspended_ms", BigInteger),
    Column("suspended_reason", Text),
)

tokens = Table(
    "tokens",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("room", String(64), nullable=False),
    Column("institution", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger),
    Column("epoch", BigInteger),
)

epochs = Table(
    "epochs",
    metadata,
    Column("room", String(64), primary_key=True),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("certificate", LargeBinary, nullable=False),
    Column("sign_key", String(64), nullable=False, unique=True),
    Column("seal_key", String(64), nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("closed_ms", BigInteger),
    Column("closed_seq", BigInteger),
    Column("contiguous_to", BigInteger, nullable=False),
    Column("seen_size", BigInteger, nullable=False),
    Column("seen_root", String(64)),
    Column("seen_note", Text),
    Column("seen_ms", BigInteger),
)

results = Table(
    "results",
    metadata,
    Column("room", String(64), primary_key=True),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("sha256", String(64), nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Column("receipt", LargeBinary, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
)

nonces = Table(
    "nonces",
    metadata,
    Column("room", String(64), primary_key=True),
    Column("nonce", String(32), primary_key=True),
    Column("time_ms", BigInteger, nullable=False),
    Index("nonces_time", "time_ms"),
)

# evidence: what proves the alarm (the other envelope, the other note); it may hold personal data and is never shown
alarms = Table(
    "alarms",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("room", String(64), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("code", String(64), nullable=False),
    Column("subject", String(100), nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    Column("evidence", LargeBinary),
    UniqueConstraint("room", "epoch", "code", "subject"),
)

requests = Table(
    "requests",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("time_ms", BigInteger, nullable=False),
    Column("room", String(64), nullable=False),
    Column("method", String(8), nullable=False),
    Column("route", String(200), nullable=False),
    Column("status", Integer, nullable=False),
    Column("count", Integer, nullable=False),
    Column("shas", Text, nullable=False),  # JSON list of the SHA-256 of what arrived
    Index("requests_room", "room", "time_ms"),
)

# audience: JSON list of room ids, or null for every room; content_file: the plain content, on the province's machine
publications = Table(
    "publications",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("audience", Text, nullable=False),
    Column("content_file", Text, nullable=False),
    Column("content_sha256", String(64), nullable=False),
    Column("not_before_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("facts", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)

sealed = Table(
    "sealed",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("room", String(64), primary_key=True),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("file", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
)

# the second share of a published bank, and what its manifests say of it; on the province's machine, as contents are
shares = Table(
    "shares",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("share", String(64), nullable=False),
    Column("release", Text, nullable=False),
)

# every release, once a time it was given
releases = Table(
    "releases",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("room", String(64), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("name", String(64), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("session", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Index("releases_room", "room", "time_ms"),
)

# passes to spot checks: body is the pass as JSON, with its holder's name
passes = Table(
    "passes",
    metadata,
    Column("pass_id", String(16), primary_key=True),
    Column("body", Text, nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger),
)

# footage asked for: envelope is the signed request, with its words; file: what the room announced, as JSON; upload: the
# store's own name for the parts of it
clips = Table(
    "clips",
    metadata,
    Column("clip", String(32), primary_key=True),
    Column("room", String(64), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),  # asked, sending, received, refused
    Column("reason", String(64)),
    Column("file", Text),
    Column("upload", Text),
    Column("made_ms", BigInteger, nullable=False),
    Column("not_after_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Index("clips_room", "room", "epoch", "state"),
)
