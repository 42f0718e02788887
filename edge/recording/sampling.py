"""The sample of a spot check: announced before its seed is known, drawn once, drawn again by anyone from its file.

Announcing fixes the sessions, the cameras and with them the population, how many minutes, and where the seed will
come from (a lottery's numbers of a day to come, a public beacon's next value). Drawing adds the seed. Both are entries
of the ledger, so who doubts a sample compares its file with them, and the time of the announcement with the seed's.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.domain.canonical import canonical
from edge.domain.sampling import MOST, Drawn, Stretch, draw, population_digest, stretches
from edge.errors import BadInput, Conflict, VerificationFailed
from edge.store import ledger, segments, sessions, walltime
from edge.store.db import transaction
from edge.trust.revoked import RandomId
from edge.trust.signer import write_secret
from edge.why import where

ANNOUNCED, DRAWN = "sample_announced", "sample_drawn"
MOST_BYTES = 32 << 20
_Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\r\n\t]*\S[^\r\n\t]*$")]
_Name = Annotated[str, Field(min_length=1, max_length=100)]
_Ms = Annotated[int, Field(ge=0, lt=1 << 47, strict=True)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StretchFact(_Part):
    session: _Name
    camera: _Name
    from_ms: Annotated[_Ms, Field(multiple_of=60_000)]
    minutes: Annotated[int, Field(ge=1, le=10_000_000, strict=True)]

    def stretch(self) -> Stretch:
        return Stretch(self.session, self.camera, self.from_ms, self.minutes)


class DrawnFact(_Part):
    session: _Name
    camera: _Name
    from_ms: _Ms


class SampleFile(_Part):
    """A sample as a file, canonical JSON. `seed` and `chosen` are None until it is drawn; `seq` is the number of the
    announcement in the ledger of `room`.
    """

    format: Literal["examroom-sample-1"] = "examroom-sample-1"
    id: RandomId
    room: _Name
    seq: Annotated[int, Field(ge=0, le=2**53, strict=True)]
    source: _Line
    count: Annotated[int, Field(ge=1, le=MOST, strict=True)]
    population: Annotated[list[StretchFact], Field(min_length=1, max_length=100_000)]
    seed: _Line | None = None
    chosen: list[DrawnFact] | None = None

    @property
    def stretches(self) -> list[Stretch]:
        return [one.stretch() for one in self.population]

    @property
    def population_sha256(self) -> str:
        return population_digest(self.stretches)

    def draw(self) -> list[Drawn]:
        """What the seed gives. BadInput where there is none yet, or the population is smaller than `count`."""
        if self.seed is None:
            raise BadInput("sample_no_seed")
        return draw(self.seed, self.stretches, self.count)


def announce(
    connection: sqlite3.Connection,
    room: str,
    wanted: Sequence[str],
    cameras: Sequence[str],
    *,
    source: str,
    count: int,
    by: str,
    within: tuple[int, int] | None = None,
) -> SampleFile:
    """Announce a sample of closed sessions, over `cameras` and all that have footage of them; leaves an entry.

    `within`: the wall time that whoever announces may look at, where that is not all.

    NotFound, Conflict: a session is unknown or not over; BadInput: more minutes than there are, or a source that is no
    line of text.
    """
    names = sorted({*cameras, *segments.cameras(connection)})
    population: list[Stretch] = []
    for one in sorted(set(wanted)):
        session = sessions.find(connection, one)
        sessions.need_state(session, "closed", "signed")
        when = walltime.when(connection, one)
        if when is None:
            continue
        counted = when.counted(within)
        population += [part for camera in names for part in stretches(one, camera, counted)]
    draw("", population, count)  # whether there is enough to draw from
    body = {
        "sample": secrets.token_hex(8),
        "source_sha256": _sha256(source),
        "count": count,
        "population_sha256": population_digest(population),
    }
    facts = {"id": body["sample"], "room": room, "source": source, "count": count}
    made = _checked(facts | {"seq": ledger.size(connection), "population": [asdict(s) for s in population]})
    with transaction(connection):
        seq = ledger.append(connection, ANNOUNCED, body, by=by)
    return made.model_copy(update={"seq": seq})


def draw_announced(connection: sqlite3.Connection, room: str, sample: SampleFile, seed: str, by: str) -> SampleFile:
    """The sample with its seed and what that gives; leaves an entry. Once: with the same seed it is the same
    sample, and its file can be written again.

    VerificationFailed (`sample_not_announced`): the ledger has no such announcement. Conflict (`sample_drawn_already`).
    """
    with_seed = _checked(sample.model_dump() | {"seed": seed.strip(), "chosen": None})
    chosen = with_seed.draw()
    body = _drawn_body(with_seed, chosen)
    with transaction(connection):
        if not _announced(connection, room, sample):
            raise VerificationFailed("sample_not_announced")
        before = _drawn(connection, sample)
        if before and before != [body]:
            raise Conflict("sample_drawn_already")
        if not before:
            ledger.append(connection, DRAWN, body, by=by)
    return with_seed.model_copy(update={"chosen": [DrawnFact(**asdict(one)) for one in chosen]})


def redraw(sample: SampleFile) -> list[Drawn]:
    """What the file's seed gives. VerificationFailed (`sample_differs`) where the file says something else."""
    chosen = sample.draw()
    if sample.chosen is not None and [Drawn(**one.model_dump()) for one in sample.chosen] != chosen:
        raise VerificationFailed("sample_differs")
    return chosen


def read_sample(file: Path) -> SampleFile:
    """BadInput (`sample_file`) for what is no sample."""
    with file.open("rb") as stream:
        data = stream.read(MOST_BYTES + 1)
    return parse_sample(data[:MOST_BYTES], str(file))


def parse_sample(data: bytes, name: str) -> SampleFile:
    """As `read_sample`; `name` is what the person calls the file."""
    try:
        return SampleFile.model_validate(json.loads(data))
    except (ValidationError, ValueError, RecursionError) as error:
        raise BadInput("sample_file", path=name, **where(error)) from error


def write_sample(file: Path, sample: SampleFile) -> None:
    write_secret(file, sample_bytes(sample))
    file.chmod(0o644)  # it is made to be shown


def sample_bytes(sample: SampleFile) -> bytes:
    return canonical(sample.model_dump()) + b"\n"


def in_ledger(connection: sqlite3.Connection, room: str, sample: SampleFile) -> bool:
    """Whether this room announced the sample and drew it with this seed."""
    body = _drawn_body(sample, sample.draw())
    return _announced(connection, room, sample) and _drawn(connection, sample) == [body]


def _drawn_body(sample: SampleFile, chosen: Sequence[Drawn]) -> dict[str, Any]:
    return {
        "sample": sample.id,
        "seed": sample.seed,
        "population_sha256": sample.population_sha256,
        "chosen": [[one.session, one.camera, one.from_ms] for one in chosen],
    }


def _drawn(connection: sqlite3.Connection, sample: SampleFile) -> list[dict[str, Any]]:
    entries = ledger.entries(connection, kinds=(DRAWN,), since=sample.seq)
    return [entry.body for entry in entries if entry.body["sample"] == sample.id]


def _announced(connection: sqlite3.Connection, room: str, sample: SampleFile) -> bool:
    wanted = {
        "sample": sample.id,
        "source_sha256": _sha256(sample.source),
        "count": sample.count,
        "population_sha256": sample.population_sha256,
    }
    found = ledger.entries(connection, kinds=(ANNOUNCED,), since=sample.seq, limit=1)
    return sample.room == room and bool(found) and (found[0].seq, found[0].body) == (sample.seq, wanted)


def _checked(facts: dict[str, Any]) -> SampleFile:
    try:
        made = SampleFile.model_validate(facts)
        canonical(made.model_dump())
    except (ValidationError, UnicodeEncodeError) as error:
        raise BadInput("sample_terms", **where(error)) from error
    return made


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
