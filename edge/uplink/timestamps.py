"""Time stamps of an outside authority (RFC 3161) over the newest checkpoint, kept beside it and put into evidence.

One an hour unless configured otherwise: a stamp covers all of the ledger before it, the gateway witnesses each minute
what no stamp covers yet, and authorities charge by the stamp or limit them.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests

from edge.errors import ExamroomError, Unavailable
from edge.store import ledger
from edge.store.db import transaction
from edge.trust import timestamp
from edge.trust.timestamp import Stamp
from edge.uplink.patience import wait_for
from edge.why import why

CONNECT_SECONDS = 4.0
_CHUNK = 16 * 1024


@dataclass
class Authority:
    """Where to ask. `stop` cuts a call short, `beat` hears that we still wait; `refused` is what was told last."""

    url: str
    ca: Path
    timeout: float
    stop: threading.Event
    beat: Callable[[], None] = lambda: None
    refused: str | None = None


def stamp_checkpoint(connection: sqlite3.Connection, authority: Authority) -> Stamp | None:
    """Have the newest checkpoint time-stamped; None where there is none, or it has its stamp.

    Unavailable `timestamp_unreachable` where nobody answers; BadInput or VerificationFailed (`timestamp_...`) for an
    answer that does not hold, which is not kept and stands in the ledger once.
    """
    latest = ledger.latest_checkpoint(connection)
    if latest is None or latest.timestamp is not None:
        return None
    digest, nonce = timestamp.imprint(latest.note), secrets.randbits(63)
    roots = timestamp.read_authorities(authority.ca)
    question = timestamp.request(digest, nonce)
    answer = wait_for(lambda: _ask(authority, question), authority.stop, authority.beat)
    try:
        stamp = timestamp.check(answer, digest, roots, nonce)
    except ExamroomError as error:
        if authority.refused != error.code:
            authority.refused = error.code
            with transaction(connection):
                ledger.append(connection, "timestamp_refused", {"reason": error.code, "size": latest.size})
        raise
    authority.refused = None
    with transaction(connection):
        ledger.save_timestamp(connection, latest.size, answer)
    return stamp


def _ask(authority: Authority, question: bytes) -> bytes:
    """The answer's bytes: nothing in them is believed yet."""
    try:
        with requests.Session() as session:
            session.trust_env = False
            with session.post(
                authority.url,
                data=question,
                headers={"Content-Type": timestamp.QUERY, "Accept": timestamp.REPLY},
                timeout=(min(CONNECT_SECONDS, authority.timeout), authority.timeout),
                allow_redirects=False,
                stream=True,
            ) as response:
                if response.status_code != 200:
                    raise Unavailable("timestamp_unreachable", detail=f"HTTP {response.status_code}")
                content = b""
                for chunk in response.iter_content(_CHUNK):
                    content += chunk
                    if len(content) > timestamp.LONGEST:
                        break
                return content
    except (requests.RequestException, OSError) as error:
        raise Unavailable("timestamp_unreachable", detail=why(error)) from error
