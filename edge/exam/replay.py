"""Drawing a recorded paper again: in the room, or anywhere from a result file and the bank.

What comes out is compared byte for byte: with the stored paper in the room, with its signed SHA-256 elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.bank.build import read_folder
from edge.bank.model import BankDocument, fingerprint, parse_bank
from edge.domain.canonical import canonical
from edge.domain.paper import ALGORITHM, draw_paper, first_difference
from edge.errors import BadInput, ExamroomError
from edge.exam.banks import joined, open_sealed
from edge.exam.papers import Apart, paper_section, pools, unpack_ids
from edge.store import sessions
from edge.trust import dsse
from edge.trust.enrolment import Identity
from edge.trust.verifier.resultfile import frame_of
from edge.why import why


@dataclass(frozen=True)
class Recorded:
    """What is known of a paper: a result's `paper` section, and the paper itself where it is here."""

    section: Mapping[str, Any]
    stored: bytes | None = None

    @property
    def attempt(self) -> str:
        return str(self.section.get("attempt", "?"))


@dataclass(frozen=True)
class Replay:
    """What drawing again came to. `difference`: the first place that is not the same, None when everything is."""

    attempt: str
    paper: bytes | None
    sha256: str | None
    recorded: str
    difference: str | None

    @property
    def match(self) -> bool:
        return self.difference is None


def recorded_here(connection: sqlite3.Connection, attempt_id: str) -> tuple[Recorded, sessions.Session]:
    """An attempt of this room's store; NotFound `candidate_unknown` for another."""
    attempt = sessions.attempt(connection, attempt_id)
    session = sessions.find(connection, attempt.session)
    return Recorded(paper_section(session, attempt), canonical(attempt.paper)), session


def recorded_in(result_file: bytes) -> Recorded:
    """The paper that a result file speaks of. Its signature is another's to check; BadInput for what is none."""
    try:
        frames = frame_of(result_file)
        payload = dsse.peek(result_file[frames[-1][1] : frames[-1][2]]).payload
        return Recorded(dict(payload["paper"]))
    except (ExamroomError, ValueError, KeyError, TypeError) as error:
        raise BadInput("result_file_frame") from error


def read_bank(path: Path, identity: Identity | None) -> BankDocument:
    """A bank from a folder, a JSON file, or a sealed bundle that this room may open, whatever its date."""
    if path.is_dir():
        return read_folder(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput("bank_broken", where=path.name, detail=why(error)) from error
    if identity is not None and b"\n" in data and _is_envelope(data.partition(b"\n")[0]):
        return open_sealed(identity, data, whenever=True)[1]
    return parse_bank(data)


def _is_envelope(line: bytes) -> bool:
    try:
        return isinstance(found := json.loads(line), dict) and "payloadType" in found
    except (ValueError, RecursionError):
        return False


def replay(recorded: Recorded, banks: Sequence[BankDocument]) -> Replay:
    """Draw the paper again from `banks` and say whether it is the same.

    BadInput `replay_unrecorded` where too little was recorded, or it was drawn by another algorithm.
    """
    section = recorded.section
    try:
        wanted = [section["bank_sha256"], *([section["local"]["sha256"]] if section["local"] else [])]
        names = [str(section["bank"]), *([str(section["local"]["bank"])] if section["local"] else [])]
        share, seed, digest = int(section["local_share"]), str(section["seed"]), str(section["sha256"])
        rested, worn = str(section["rested"]), str(section["worn"])
        blueprint, algorithm = dict(section["blueprint"]), section["algorithm"]
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput("replay_unrecorded", attempt=recorded.attempt) from error
    if algorithm != ALGORITHM:
        raise BadInput("replay_unrecorded", attempt=recorded.attempt)
    given = _in_order(banks, names)
    different = _bank_difference(given, wanted, names)
    bank = joined(given[0], given[1]) if len(given) == 2 else given[0]
    try:
        apart = Apart(*(unpack_ids(packed, (item.id for item in bank.items)) for packed in (rested, worn)))
        paper = draw_paper(pools(bank, blueprint, apart, share), seed)
    except ValueError as error:
        return Replay(recorded.attempt, None, None, digest, different or str(error))
    made = canonical(paper)
    sha256 = hashlib.sha256(made).hexdigest()
    if recorded.stored is not None and made != recorded.stored:
        path = first_difference(json.loads(recorded.stored), paper) or "bytes"
        different = f"{different}; paper: {path}" if different else f"paper: {path}"
    elif sha256 != digest:
        different = f"{different}; paper: sha256" if different else "paper: sha256"
    return Replay(recorded.attempt, made, sha256, digest, different)


def _in_order(banks: Sequence[BankDocument], names: Sequence[str]) -> list[BankDocument]:
    """The banks as they were drawn from, however they were named on the command line."""
    by_name = {bank.bank: bank for bank in banks}
    if len(banks) == len(names) and all(name in by_name for name in names):
        return [by_name[name] for name in names]
    return list(banks[:2])


def _bank_difference(given: Sequence[BankDocument], wanted: Sequence[str], names: Sequence[str]) -> str | None:
    if len(given) != len(wanted):
        return f"banks: {len(given)} given, {len(wanted)} recorded"
    for bank, sha256, name in zip(given, wanted, names, strict=True):
        if (found := fingerprint(bank)) != sha256:
            return f"bank {name}: {found[:16]}… is not the recorded {sha256[:16]}…"
    return None
