"""A good evidence file altered in every way the verifiers are held to: what one says, the other must say too."""

from __future__ import annotations

import hashlib
import io
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from edge import clock
from edge.domain import merkle
from edge.domain.canonical import canonical
from edge.trust import certificate as certificates
from edge.trust import checkpoint, dsse
from edge.trust.container import ContainerWriter, read_directory
from edge.trust.protocol import GatewayKey, sign_gateway_key
from edge.trust.verifier import layout
from edge.trust.verifier.slice import proof_line

MANIFEST, LEDGER, PROOFS, CHECKPOINT, WITNESS, CERTIFICATE, TIMESTAMP = (
    "manifest.dsse.json",
    "ledger.jsonl",
    "proofs.jsonl",
    "checkpoint.txt",
    "witness.json",
    "certificate.dsse.json",
    "timestamp.json",
)


def altered(original: Any) -> Iterator[tuple[str, bytes]]:
    """(what was done, the file's bytes); `original` is the fixture of tests/recording/evidence."""
    yield from _flipped(original)
    yield from _repacked(original)
    yield from ((what, data) for what, _, data in too_large(original))
    yield from _by_others(original)
    yield from _resigned(original)
    yield from ending_late(replace(original, data=original.late))
    chance = random.Random(20261128)
    for number in range(20):
        at, width = chance.randrange(len(original.data)), chance.choice([0, 1, 7, 300, 3000])
        put = chance.choice([b"", b"PK\x03\x04", chance.randbytes(5), original.other[at : at + width]])
        yield f"splice {number}", original.data[:at] + put + original.data[at + width :]


def pack(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    writer = ContainerWriter(file)
    for name, content in members.items():
        writer.add(name, [content])
    writer.finish()
    return file.getvalue()


def _flipped(original: Any) -> Iterator[tuple[str, bytes]]:
    """A bit in the middle of every region (of some of the ledger's many lines), and at both ends of every fifth."""
    for number, region in enumerate(layout(original.path)):
        if region.seq is not None and number % 5:
            continue
        places = {(region.start + region.end) // 2}
        if number % 5 == 0:
            places |= {region.start, region.end - 1}
        for at in sorted(places):
            data = bytearray(original.data)
            data[at] ^= 0x20 if at % 2 else 0x01
            yield f"flip {region.part} {at}", bytes(data)


def _repacked(original: Any) -> Iterator[tuple[str, bytes]]:
    data, members = original.data, original.members
    for share in (0.001, 0.3, 0.7, 0.999):
        yield f"cut {share}", data[: int(len(data) * share)]
    for less in (1, 21, 22, 40):
        yield f"cut by {less}", data[:-less]
    middle = read_directory(io.BytesIO(data))[3].header
    for tail in (b"\0", b"PK\x05\x06" + bytes(18), b"x" * 5000):
        yield f"appended {len(tail)}", data + tail
        yield f"put before {len(tail)}", tail + data
        yield f"put between {len(tail)}", data[:middle] + tail + data[middle:]
    for name in members:
        yield f"removed {name}", pack({n: c for n, c in members.items() if n != name})
    yield "extra", pack({**members, "extra.txt": b"x"})
    yield "turned", pack(dict(reversed(members.items())))
    for name, content in original.other_members.items():
        if name in members and content != members[name]:
            yield f"from another export {name}", original.with_member(name, content)
    entries, proofs = members[LEDGER], members[PROOFS]
    for index in (0, 5, -1):
        yield f"entry {index} dropped", original.with_member(LEDGER, change_line(entries, index, lambda _: []))
    yield "entry doubled", original.with_member(LEDGER, change_line(entries, 4, lambda x: [x, x]))
    yield "entry appended", original.with_member(LEDGER, entries + entries.splitlines(keepends=True)[0])
    yield "last newline gone", original.with_member(LEDGER, entries[:-1])
    foreign = canonical({**json.loads(proofs.splitlines()[5]), "seq": json.loads(proofs.splitlines()[4])["seq"]})
    yield "proof of another", original.with_member(PROOFS, change_line(proofs, 4, lambda _: [foreign + b"\n"]))
    yield "proofs longer", original.with_member(PROOFS, proofs + b"{}\n")
    view = next(name for name in members if name.startswith("view/"))
    yield "view longer", original.with_member(view, members[view] + b"x")
    yield "view shorter", original.with_member(view, members[view][:-700])
    yield "view begins otherwise", original.with_member(view, b"x" + members[view][1:])
    both = {view: b"x" + members[view][1:], LEDGER: entries[:-1]}
    yield "view and ledger", pack({**members, **both})
    index = view.replace("view/", "segments/").replace(".mp4", ".json")
    yield "view and its index", pack({**members, view: members[view][:-1] + b"x", index: members[index] + b" "})
    yield "two parts", pack({**members, LEDGER: entries.replace(b"admitted", b"rejected"), "README.txt": b"changed"})
    video = next(name for name in members if name.startswith("video/"))
    yield "video longer", original.with_member(video, members[video] + b"x")
    yield "video shorter", original.with_member(video, members[video][:-700])


def too_large(original: Any) -> Iterator[tuple[str, str, bytes]]:
    """(what was done, the reason it is refused for, the file's bytes): what would cost a reader memory or time before
    it knows who made it. Nobody signed any of these."""
    members = original.members
    for name in ("README.txt", CERTIFICATE, CHECKPOINT, WITNESS, TIMESTAMP):
        junk = b"[" + b"[]," * (1 << 17) + b"[]]"
        yield f"large {name}", "evidence_member_large", original.with_member(name, junk)
    kept = (256 << 10) - len(members["README.txt"])
    readme = {**members, "README.txt": members["README.txt"] + b" " * kept}
    yield "README of just 256 KiB", "evidence_readme_altered", pack(readme)
    junk = b"[" + b"[]," * 80_000 + b"[]]"
    for name, reason in ((CERTIFICATE, "evidence_certificate_altered"), (MANIFEST, "evidence_manifest_altered")):
        yield f"lists for {name}", reason, original.with_member(name, junk)
        envelope = json.loads(members[name])
        for count, what in ((8, reason), (9, reason), (2000, reason)):
            many = canonical({**envelope, "signatures": envelope["signatures"] * count})
            if len(many) < 256 << 10:
                yield f"{count} signatures on {name}", what, original.with_member(name, many)
        odd = canonical({**envelope, "signatures": [{**envelope["signatures"][0], "keyid": "," * 99}]})
        yield f"a key of commas on {name}", reason, original.with_member(name, odd)
    yield "a thousand newlines", "evidence_entry_altered", original.with_member(LEDGER, b"\n" * 1000 + members[LEDGER])
    yield "newlines behind", "evidence_entry_extra", original.with_member(LEDGER, members[LEDGER] + b"\n" * 1000)
    yield "proofs of newlines", "evidence_proof_altered", original.with_member(PROOFS, b"\n" * 3000)
    yield "a proof of lists", "evidence_proof_altered", original.with_member(PROOFS, junk + b"\n" + members[PROOFS])
    yield "a ledger of lists", "evidence_entry_altered", original.with_member(LEDGER, junk + members[LEDGER])
    more = members[LEDGER] + b"x" * ((1 << 20) + 9)
    yield "a ledger much longer", "evidence_entry_extra", original.with_member(LEDGER, more)


def _by_others(original: Any) -> Iterator[tuple[str, bytes]]:
    """Signed by the wrong one, or with words that nobody signed."""
    yield (
        "manifest by a stranger",
        original.with_member(MANIFEST, dsse.sign_envelope(dsse.EVIDENCE, original.manifest, [original.stranger])),
    )
    yield (
        "manifest by two",
        original.with_member(
            MANIFEST, dsse.sign_envelope(dsse.EVIDENCE, original.manifest, [original.signer, original.stranger])
        ),
    )
    for name in (MANIFEST, CERTIFICATE):
        more = canonical({**json.loads(original.members[name]), "note": "unsigned"})
        yield f"unsigned word in {name}", original.resign({**original.members, name: more})
        yield f"unsigned word put into {name}", original.with_member(name, more)
    own = certificates.check(original.members[CERTIFICATE], original.root)
    for what, change in (
        ("late", {"not_before_ms": own.not_before_ms + 10**9, "not_after_ms": own.not_after_ms + 10**9}),
        ("another room's", {"room": "room-2"}),
        ("longer", {"not_after_ms": own.not_after_ms + 1}),
    ):
        envelope = certificates.issue(own.model_copy(update=change), original.issuer)
        yield f"certificate {what}", original.resign({**original.members, CERTIFICATE: envelope})
    ended = original.manifest["from_ms"] - 9_000  # in its time, and before the footage
    envelope = certificates.issue(own.model_copy(update={"not_after_ms": ended}), original.issuer)
    yield "made before it ended", original.resign({**original.members, CERTIFICATE: envelope}, made_ms=ended)
    forever = certificates.issue(own.model_copy(update={"not_before_ms": 0}), original.issuer)
    for before in (86_400_000, 86_400_001):
        made = original.manifest["made_ms"] - before
        yield f"made {before} before", original.resign({**original.members, CERTIFICATE: forever}, made_ms=made)
    witness = json.loads(original.members[WITNESS])
    origin = checkpoint.read_note(original.members[CHECKPOINT].decode())[0].origin
    alone = checkpoint.only_signers(witness["note"], {origin})
    for what, changed in (
        ("of another tree", {"note": checkpoint.sign_note(origin, 20, bytes(32), origin, original.signer)}),
        ("by a stranger", {"note": checkpoint.cosign(alone, "gateway-1", original.stranger)}),
        ("key by nobody", {"gateway": witness["gateway"].replace("A", "B", 1)}),
        ("unnamed", {"gateway": None}),
        ("alone", {"note": alone, "gateway": None}),
    ):
        forged = canonical({**witness, **changed})
        yield f"witness {what}", original.resign({**original.members, WITNESS: forged})
    whole = original.members[CHECKPOINT].decode()
    key = GatewayKey(name="gateway-2", key=original.stranger.public.hex(), not_before_ms=0, not_after_ms=10**13)
    vouched = sign_gateway_key(key, original.issuer).decode()
    newest = {"note": checkpoint.cosign(whole, "gateway-2", original.stranger), "consistency": [], "gateway": vouched}
    yield "witness of all the footage", original.resign({**original.members, WITNESS: canonical(newest)})
    yield "witness taken out", original.resign({n: c for n, c in original.members.items() if n != WITNESS})
    stamp = json.loads(original.members[TIMESTAMP])
    for what, changed in (
        ("of all the footage", {"note": whole, "consistency": []}),
        ("of another tree", {"note": checkpoint.sign_note(origin, 20, bytes(32), origin, original.signer)}),
        ("of another key", {"note": checkpoint.sign_note(origin, 20, bytes(32), origin, original.stranger)}),
        ("by two", {"note": checkpoint.cosign(stamp["note"], "gateway-1", original.stranger)}),
        ("without proof", {"consistency": []}),
        ("of no bytes", {"tsr": ""}),
        ("of other spelling", {"tsr": stamp["tsr"].rstrip("=") + "====="}),
        ("of no base64", {"tsr": "*"}),
        ("too long", {"tsr": "AAAA" * 30_000}),
        ("of a number", {"tsr": 7}),
        ("with more", {"more": 1}),
    ):
        forged = canonical({**stamp, **changed})
        yield f"time stamp {what}", original.resign({**original.members, TIMESTAMP: forged})


def _resigned(original: Any) -> Iterator[tuple[str, bytes]]:
    """By a dishonest room: the hashes in the manifest fit whatever was put in."""
    members, manifest = original.members, original.manifest
    first, last = manifest["span"]["first"], manifest["span"]["last"]
    entries = members[LEDGER].splitlines()
    for kept, gone in (({"first": first + 1, "last": last}, first), ({"first": first, "last": last - 1}, last)):
        index = next(i for i, line in enumerate(entries) if json.loads(line)["seq"] == gone)
        less = {name: change_line(members[name], index, lambda _: []) for name in (LEDGER, PROOFS)}
        yield f"run without {gone}", original.resign({**members, **less}, span=kept)
    rewritten = change_line(members[LEDGER], 3, lambda x: [x.replace(b"admitted", b"rejected")])
    yield "entry rewritten", original.resign({**members, LEDGER: rewritten})
    fact = manifest["segments"][1]
    index, video = f"segments/{fact['segment']}.json", f"video/{fact['segment']}.mp4"
    table, replaced = json.loads(members[index]), bytearray(members[video])
    replaced[-10] ^= 1
    piece = table["fragments"][-1]
    piece["sha256"] = hashlib.sha256(bytes(replaced)[-piece["length"] :]).hexdigest()
    yield "footage replaced", original.resign({**members, index: canonical(table), video: bytes(replaced)})
    moved = json.loads(members[index])
    for fragment in moved["fragments"]:
        fragment["wall_ms"] += 3_600_000
    yield "footage moved", original.resign({**members, index: canonical(moved)})
    view = next(name for name in members if name.startswith("view/"))
    for what, content in (
        ("of other pictures", members[view][:-9] + b"123456789"),
        ("without its end", members[view][:-900]),
        ("of nothing", b""),
    ):
        yield f"view {what}", original.resign({**members, view: content})
    yield "view taken out", original.resign({name: content for name, content in members.items() if name != view})
    stray = {n: c for n, c in members.items() if n != view} | {view.replace("view/", "view/x"): members[view]}
    yield "view of no segment", original.resign(stray)
    moved_view = {n: c for n, c in members.items() if n not in (view, "checkpoint.txt")}
    yield (
        "view elsewhere",
        original.resign({**moved_view, "checkpoint.txt": members["checkpoint.txt"], view: members[view]}),
    )
    yield "table not canonical", original.resign({**members, index: json.dumps(table).encode()})
    hidden = {name: content for name, content in members.items() if fact["segment"] not in name}
    rest = [one for one in manifest["segments"] if one is not fact]
    yield "segment hidden", original.resign(hidden, segments=rest)
    yield "segment told absent", original.resign(hidden, segments=rest, absent=[fact["segment"]])
    for what, _, data in odd_entries(original):
        yield what, data
    for what, _, data in disordered(original):
        yield what, data
    for kept, data in left_out(original):
        yield f"fragments but {kept} left out", data
    for change in (
        {}, {"why": "another"}, {"by": "staff-8"}, {"session": None}, {"from_ms": 1}, {"export_seq": 3}, {"version": 2},
        {"camera": 7}, {"until_ms": 0}, {"segments": []}, {"more": 1}, {"clip_ms": 1}, {"others": [9, 3]},
        {"span": {"first": 9, "last": 2}}, {"made_ms": 10**18}, {"segments": [{"segment": "../x"}]}, {"version": True},
        {"room": "<b>\u202e{seq}</b>"}, {"by": "\U0001f512\x7f"}, {"made_ms": 1}, {"epoch": 2**70},
        {"epoch": 1.0},
    ):  # fmt: skip
        yield f"manifest {change}", original.resign(members, **change)
    segment = json.loads(members[index])
    for content in (b"", b"{}", b"[]", b'"x"', b"nul", b"-0", b"1.0", b"1e5", b'{"a":1,"a":1}', b"[" * 3000, b"\xff"):
        yield f"table {content[:20]!r}", original.resign({**members, index: content})
    for change in (
        {"camera": "hall"},
        {"fragments": segment["fragments"][1:]},
        {"init": {"length": 1.5, "sha256": "0"}},
    ):
        yield f"table {list(change)}", original.resign({**members, index: canonical({**segment, **change})})


def rewritten(original: Any, change: Callable[[list[dict[str, Any]]], object], **told: Any) -> bytes:
    """By a room that writes its ledger anew: the entries of the slice, numbered from 0 and with `change` made to them,
    are all of it. `told` is changed in the manifest."""
    members, manifest = original.members, original.manifest
    entries = [json.loads(line) for line in members[LEDGER].splitlines()]
    number = {entry["seq"]: at for at, entry in enumerate(entries)}
    for entry in entries:
        entry["seq"] = number[entry["seq"]]
    change(entries)
    lines = [canonical(entry) for entry in entries]
    leaves = [merkle.leaf_hash(line) for line in lines]
    tree, count = merkle.tree_of(leaves), len(lines)
    origin = checkpoint.read_note(members[CHECKPOINT].decode())[0].origin
    note = checkpoint.sign_note(origin, count, merkle.root(count, tree), origin, original.signer)
    inside = {name: content for name, content in members.items() if name not in (WITNESS, TIMESTAMP)}
    inside |= {LEDGER: b"".join(line + b"\n" for line in lines), CHECKPOINT: note.encode()}
    inside[PROOFS] = b"".join(proof_line(seq, merkle.inclusion_proof(seq, count, tree)) + b"\n" for seq in range(count))
    facts = [{**fact, "ledger_seq": number[fact["ledger_seq"]]} for fact in manifest["segments"]]
    numbers = {"span": {"first": 0, "last": count - 1}, "others": [], "export_seq": number[manifest["export_seq"]]}
    return original.resign(inside, segments=facts, **{**numbers, **told})


def odd_entries(original: Any) -> Iterator[tuple[str, bool, bytes]]:
    """(what an entry holds, whether that is in the form of the format, the file's bytes): one reader may take as equal
    what another does not, such as 1, true and 1.0."""

    def deep(levels: int) -> Any:
        value: Any = 7
        for _ in range(levels):
            value = [value]
        return value

    def at(number: int, /, **more: Any) -> Callable[[list[dict[str, Any]]], object]:
        return lambda entries: entries[number].update(more)

    def body(number: int, /, **more: Any) -> Callable[[list[dict[str, Any]]], object]:
        return lambda entries: entries[number]["body"].update(more)

    entries = [json.loads(line) for line in original.members[LEDGER].splitlines()]
    segments = [at for at, entry in enumerate(entries) if entry["kind"] == "segment"]
    mine = [at for at in segments if entries[at]["body"]["camera"] == original.manifest["camera"]]
    shown = next(at for at in mine if entries[at]["body"]["segment"] == original.manifest["segments"][1]["segment"])
    apart = next(at for at in mine if entries[at]["body"]["started"] >= clock.iso(original.manifest["until_ms"]))
    exported = next(at for at, entry in enumerate(entries) if entry["seq"] == original.manifest["export_seq"])
    other = next(at for at, entry in enumerate(entries) if entry["kind"] == "checkin")
    odd: list[tuple[str, bool, Callable[[list[dict[str, Any]]], object]]] = [
        ("nothing odd", True, lambda _: None),
        ("number true", False, at(1, seq=True)),
        ("number with a fraction", False, at(1, seq=1.0)),
        ("count with a fraction", False, body(shown, fragments=6.0)),
        ("count true", False, body(shown, fragments=True)),
        ("export with a fraction", False, body(exported, from_ms=float(original.manifest["from_ms"]))),
        ("began past 2^53", False, body(shown, started=10**20, ended=10**20)),
        ("another began past 2^53", False, body(apart, started=10**20)),
        ("ended at a number", False, body(shown, ended=original.manifest["until_ms"])),
        ("600 deep", False, body(other, z=deep(600))),
        ("499 deep", False, body(other, z=deep(499))),
        ("498 deep", True, body(other, z=deep(498))),
        ("of 501 digits", False, body(other, z=10**500)),
        ("2^53", False, body(other, z=2**53)),
        ("below -2^53", False, body(other, z=-(2**53))),
        ("2^53 - 1", True, body(other, z=[2**53 - 1, 1 - 2**53])),
        ("0.1", False, body(other, z=0.1)),
        ("entered at a number", False, at(other, at=1)),
        ("entered at no moment", False, at(other, at="2026-05-28T20:26:41Z")),
        ("a list for a name", False, body(shown, segment=[original.manifest["segments"][1]["segment"]])),
        ("number for a name", False, body(shown, segment=7)),
    ]
    for what, good, change in odd:
        yield f"entry: {what}", good, rewritten(original, change)


def disordered(original: Any) -> Iterator[tuple[str, str, bytes]]:
    """(what was done, the reason it is refused for, the file's bytes): segments in another order, false absences."""
    facts, members = original.manifest["segments"], original.members
    for what, order in (("reversed", facts[::-1]), ("two changed", [facts[1], facts[0], *facts[2:]])):
        mine = [name for fact in order for name in members if fact["segment"] in name]
        others = [name for name in members if name not in mine]
        inside = {name: members[name] for name in [*others[:2], *mine, *others[2:]]}
        table = json.loads(members[f"segments/{order[0]['segment']}.json"])
        first = next(piece for piece in table["fragments"] if piece["n"] == order[0]["first"])
        told = {"segments": order, "clip_ms": first["wall_ms"]}
        yield f"segments {what}", "evidence_segments_order", original.resign(inside, **told)
    for what, absent in (
        ("in the file", [facts[0]["segment"]]),
        ("made up", ["nothing", "nothing", "<b>\u202e"]),
        ("of another camera", ["hall-01234567-000001"]),
        ("of another time", ["door-01234567-000005"]),
    ):
        yield f"absent {what}", "evidence_absent_differs", original.resign(members, absent=absent)


def left_out(original: Any) -> Iterator[tuple[tuple[int, int], bytes]]:
    """The middle segment, of fragments 0 to 5, with these alone in the file: (first, last) and the file's bytes."""
    members = original.members
    for first, last in ((0, 4), (0, 2), (0, 0), (5, 5), (2, 3)):
        facts = [dict(fact) for fact in original.manifest["segments"]]
        fact = facts[1]
        fact.update(first=first, last=last)
        table, video = json.loads(members[f"segments/{fact['segment']}.json"]), f"video/{fact['segment']}.mp4"
        pieces = [f for f in table["fragments"] if first <= f["n"] <= last]
        kept = b"".join(members[video][f["offset"] : f["offset"] + f["length"]] for f in pieces)
        yield (
            (first, last),
            original.resign({**members, video: members[video][: table["init"]["length"]] + kept}, segments=facts),
        )


def ending_late(late: Any) -> Iterator[tuple[str, bytes]]:
    """A run that ends a day after the span, and one that ends a millisecond earlier."""
    yield "a day later", late.data
    members, span = late.members, late.manifest["span"]
    less = {name: change_line(members[name], -2, lambda _: []) for name in (LEDGER, PROOFS)}
    yield "not quite a day later", late.resign({**members, **less}, span={**span, "last": span["last"] - 1})


def change_line(data: bytes, index: int, change: Callable[[bytes], list[bytes]]) -> bytes:
    lines = data.splitlines(keepends=True)
    at = index % len(lines)
    return b"".join([*lines[:at], *change(lines[at]), *lines[at + 1 :]])
