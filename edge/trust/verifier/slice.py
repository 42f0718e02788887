"""The ledger slice of an evidence file: which line was altered, which entry is missing, what the entries say.

Both members are lines; line i belongs to the i-th number of the manifest's sequences. A line is never guessed from
where it parses: an entry is the one of its number when its leaf hash leads by that number's proof to the signed root.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from edge.domain import merkle
from edge.domain.canonical import canonical
from edge.trust.checkpoint import TreeHead
from edge.trust.evidence_format import Manifest, Part, export_body, touches
from edge.trust.verifier.reader import strict_json
from edge.trust.verifier.signed import millis_of
from edge.trust.verifier.verdict import MOST, Problem, printable

LONG_MS = 86_400_000
_LONGEST_PROOF = 8192  # of a tree of 2^64 leaves, and more
Entries = dict[int, dict[str, Any]]


@dataclass
class Slice:
    """Lines as found; `entries` fills while they are checked, by ledger number."""

    expected: Sequence[int]
    lines: list[bytes]
    proofs: list[bytes]
    entries: Entries = field(default_factory=dict)


def split_lines(data: bytes, most: int) -> list[bytes]:
    """Each line without its newline; an unterminated tail is a line that can hold nothing (its newline is missing).

    Of more than `most`, one more alone is given: how many others there are changes nothing.
    """
    lines = data.split(b"\n", most + 1)
    if len(lines) > most + 1:
        return lines[: most + 1]
    return lines[:-1] if lines[-1] == b"" else [*lines[:-1], lines[-1] + b"\x00"]


def proof_line(seq: int, path: Sequence[bytes]) -> bytes:
    """One line of proofs.jsonl, without its newline."""
    line: dict[str, object] = {"path": [step.hex() for step in path], "seq": seq}
    return canonical(line)


def read_proof(line: bytes, seq: int) -> list[bytes] | None:
    """The audit path of entry `seq`, or None where the line is not exactly one."""
    if len(line) > _LONGEST_PROOF:
        return None
    try:
        path = [bytes.fromhex(step) for step in json.loads(line)["path"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return path if proof_line(seq, path) == line else None


def check_proofs(found: Slice, head: TreeHead | None, *, ledger_intact: bool) -> Problem:
    """proofs.jsonl is not what the manifest names: the first entry whose proof is damaged."""
    for index, seq in enumerate(found.expected):
        path = read_proof(found.proofs[index], seq) if index < len(found.proofs) else None
        lost = path is None
        if path is not None and ledger_intact and head is not None and index < len(found.lines):
            lost = not _included(found.lines[index], seq, path, head)
        if lost:
            return Problem("evidence_proof_altered", Part.PROOF, {"seq": seq}, seq=seq)
    return Problem("evidence_proofs_extra", Part.PROOF)


def check_lines(found: Slice, head: TreeHead | None) -> list[Problem]:
    """ledger.jsonl is not what the manifest names: each entry that was altered, or is missing."""
    paths = dict(zip(found.expected, map(read_proof, found.proofs, found.expected), strict=False))

    def good(at: int, seq: int) -> bool:
        path = paths.get(seq)
        return (
            head is not None
            and at < len(found.lines)
            and path is not None
            and _included(found.lines[at], seq, path, head)
        )

    problems: list[Problem] = []
    at, following = 0, [*found.expected[1:], -1]
    for seq, after in zip(found.expected, following, strict=True):
        if len(problems) >= MOST:
            break
        if good(at, seq):
            at += 1
        elif at >= len(found.lines) or good(at, after):
            problems.append(Problem("evidence_entry_missing", Part.LEDGER, {"seq": seq}, seq=seq))
        else:
            problems.append(Problem("evidence_entry_altered", Part.LEDGER, {"seq": seq}, seq=seq))
            at += 1
    return problems or [Problem("evidence_entry_extra", Part.LEDGER)]


def check_inclusion(found: Slice, head: TreeHead) -> Iterator[Problem]:
    """Both members are what the manifest names: every entry must still be in the signed tree, and be itself."""
    if len(found.lines) != len(found.expected) or len(found.proofs) != len(found.expected):
        yield Problem("evidence_entry_extra", Part.LEDGER)
        return
    for line, proof, seq in zip(found.lines, found.proofs, found.expected, strict=True):
        path = read_proof(proof, seq)
        if path is None or not _included(line, seq, path, head):
            yield Problem("evidence_proof_altered", Part.PROOF, {"seq": seq}, seq=seq)
            continue
        content = _content(line)
        if content is None or content["seq"] != seq:
            yield Problem("evidence_entry_content", Part.LEDGER, {"seq": seq}, seq=seq)
        else:
            found.entries[seq] = content


def check_story(entries: Entries, manifest: Manifest, head: TreeHead) -> Iterator[Problem]:
    """The manifest tells what the ledger tells: a run without a loose end, this export, all segments of the span."""
    first, last = manifest.span.first, manifest.span.last
    begins = millis_of(entries[first]["at"])
    if first != 0 and (begins is None or begins > manifest.from_ms):
        yield Problem("evidence_span_open", Part.LEDGER, {"seq": first - 1}, seq=first - 1)
    ends = closes(entries[last], manifest.camera, manifest.until_ms) or is_long_after(entries[last], manifest.until_ms)
    if last != head.size - 1 and not ends:
        yield Problem("evidence_span_open", Part.LEDGER, {"seq": last + 1}, seq=last + 1)
    export = entries.get(manifest.export_seq)
    if export is None or not _tells_of(export, manifest):
        exported = {"seq": manifest.export_seq}
        yield Problem("evidence_export_differs", Part.LEDGER, exported, seq=manifest.export_seq)
    yield from _check_segments(entries, manifest)


def _check_segments(entries: Entries, manifest: Manifest) -> Iterator[Problem]:
    """Each segment that the slice tells of is here or named as absent, no other is, and they follow one another."""
    present, absent, told = {s.segment for s in manifest.segments}, set(manifest.absent), set[str]()
    for seq, entry in entries.items():
        body = entry["body"]
        if entry["kind"] != "segment" or body.get("camera") != manifest.camera:
            continue
        name, started, ended = body.get("segment"), millis_of(body.get("started")), millis_of(body.get("ended"))
        if started is not None and ended is not None and not touches(started, ended, manifest):
            continue
        if isinstance(name, str):
            told.add(name)
        if not isinstance(name, str) or name not in present | absent:
            facts = {
                "segment": printable(name) if isinstance(name, str) else "?",
                "seq": seq,
                "camera": manifest.camera,
            }
            yield Problem("evidence_segment_missing", Part.VIDEO, facts, seq=seq)
    for name in manifest.absent:
        if name in present or name not in told:
            yield Problem("evidence_absent_differs", Part.MANIFEST, {"segment": printable(name)})
    places = [_place(entries.get(fact.ledger_seq)) for fact in manifest.segments]
    known = [place for place in places if place is not None]
    if known != sorted(known):
        yield Problem("evidence_segments_order", Part.MANIFEST)


def _place(entry: dict[str, Any] | None) -> tuple[int, int] | None:
    """Where a segment belongs: when it began, and its number where a clock that was set makes two begin at once."""
    body = {} if entry is None else entry["body"]
    started, sequence = millis_of(body.get("started")), body.get("sequence")
    return None if started is None else (started, sequence if type(sequence) is int else 0)


def closes(entry: dict[str, Any], camera: str, until_ms: int) -> bool:
    """Whether a run may end with this entry: it tells of a segment of the camera after the span.

    A segment is entered when it closes, so an entry's date alone does not tell that the segments before it were. The
    camera's own segments are entered in order, those that a start finds left over before any of its own.
    """
    body = entry["body"]
    mine = entry["kind"] == "segment" and body.get("camera") == camera and body.get("salvaged") is False
    times = (millis_of(entry["at"]), millis_of(body.get("started")))
    return mine and all(time is not None and time >= until_ms for time in times)


def is_long_after(entry: dict[str, Any], until_ms: int) -> bool:
    """Whether a run may end with this entry although the camera recorded nothing more: it is of a day later."""
    at = millis_of(entry["at"])
    return at is not None and at >= until_ms + LONG_MS


def _tells_of(entry: dict[str, Any], manifest: Manifest) -> bool:
    same = (entry["kind"], entry.get("by"), entry.get("session")) == ("export", manifest.by, manifest.session)
    told = (manifest.camera, manifest.from_ms, manifest.until_ms, manifest.why_salt, manifest.why)
    return same and canonical(entry["body"]) == canonical(export_body(*told))  # true is not 1


def _included(line: bytes, seq: int, path: Sequence[bytes], head: TreeHead) -> bool:
    return merkle.verify_inclusion(merkle.leaf_hash(line), seq, head.size, path, head.root)


def _content(line: bytes) -> dict[str, Any] | None:
    try:
        content = strict_json(line)
        whole = isinstance(content["body"], dict) and isinstance(content["kind"], str)
        return content if whole and type(content["seq"]) is int and millis_of(content["at"]) is not None else None
    except (ValueError, TypeError, KeyError):
        return None
