"""Papers from a bank: what is drawn from, what is recorded of it, what a candidate's page is shown, a paper's media.

Nothing here that goes to a page holds a key, an accepted text, a tolerance, a region or a source.
"""

from __future__ import annotations

import base64
import hashlib
import sqlite3
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge.bank.media import EXTENSIONS
from edge.bank.model import (
    BankDocument,
    CaseItem,
    ChoiceItem,
    FillItem,
    HotspotItem,
    Item,
    MatchItem,
    MediaFile,
    NumberBlank,
    Option,
    OrderItem,
    TextBlank,
    fingerprint,
    media_names,
)
from edge.domain.answers import Wrong, normalise
from edge.domain.paper import ALGORITHM, LETTERS, Pools
from edge.errors import BadInput, NotFound
from edge.exam.banks import sources_of
from edge.store import sessions, uses


@dataclass(frozen=True)
class Index:
    """A bank by id and by file name, a case's questions by their own ids too. `shown`: what a page calls each file."""

    items: Mapping[str, Item]
    media: Mapping[str, MediaFile]
    shown: Mapping[str, str]


def index(bank: BankDocument) -> Index:
    items: dict[str, Item] = {}
    for item in bank.items:
        items[item.id] = item
        if isinstance(item, CaseItem):
            items |= {sub.id: sub for sub in item.items}
    return Index(items, bank.media, {name: shown_name(file) for name, file in bank.media.items()})


def shown_name(file: MediaFile) -> str:
    """What a page calls a file: by its content, for an author's "q12_right.png" says too much."""
    return "m-" + hashlib.sha256(f"{file.type} {file.data}".encode()).hexdigest()[:24] + EXTENSIONS[file.type]


# ---- drawing


@dataclass(frozen=True)
class Apart:
    """Ids of items that are not drawn like the others: `rested` only where there are no others, `worn` not at all."""

    rested: Sequence[str] = ()
    worn: Sequence[str] = ()


def pools(bank: BankDocument, blueprint: Mapping[str, Any], apart: Apart, local_share: int) -> Pools:
    facts = (item.facts() for item in bank.items)
    return Pools(facts, blueprint, rested=apart.rested, worn=apart.worn, local_share=local_share)


def local_share(session: sessions.Session) -> int:
    """Per cent of each part's items that may be local: the signed policy's word, 0 where it says nothing."""
    return int(session.policy.get("local_bank_share", 0))


def resting(connection: sqlite3.Connection, session: sessions.Session, bank: BankDocument) -> list[str]:
    """Ids of the bank's items that rest: they stood on papers of this room's last sessions, as the blueprint asks."""
    count = int(session.blueprint.get("rest_sessions", 0))
    used = sessions.recent_items(connection, session.id, count) if count else set()
    return sorted(item.id for item in bank.items if item.id in used)


def worn(
    connection: sqlite3.Connection, room: str, blueprint: Mapping[str, Any], bank: BankDocument, session: str = ""
) -> list[str]:
    """Ids of the bank's items that this room has used so often that, with what the bank says itself, they pass the
    blueprint's `max_exposure`. Sessions that the bank has counted already count once; `session` itself does not.
    """
    limit = blueprint.get("max_exposure")
    if limit is None:
        return []
    found = []
    for source in sources_of(bank):
        known = {session, *(pair.session for pair in source.counted if pair.room == room)}
        used = uses.counts(connection, source.bank, known)
        found += [item.id for item in source.items if used[item.id] and item.exposure + used[item.id] > limit]
    return sorted(found)


def apart(connection: sqlite3.Connection, session: sessions.Session, bank: BankDocument) -> Apart:
    """What is not drawn like the rest in a session that opens now."""
    rested = resting(connection, session, bank)
    return Apart(rested, worn(connection, session.room, session.blueprint, bank, session.id))


def uses_of(bank: BankDocument, papers: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, int]]:
    """(bank, item, papers it stands on) of drawn papers."""
    counts = Counter(entry["id"] for paper in papers for part in paper["parts"] for entry in part["items"])
    return [
        (source.bank, item.id, counts[item.id])
        for source in sources_of(bank)
        for item in source.items
        if item.id in counts
    ]


def draw_record(bank: BankDocument, apart: Apart, share: int) -> dict[str, Any]:
    """What a session keeps beside seed and blueprint, so that each of its papers can be drawn again anywhere."""
    return {
        "algorithm": ALGORITHM,
        "local_share": share,
        "rested": pack_ids(frozenset(apart.rested), (item.id for item in bank.items)),
        "worn": pack_ids(frozenset(apart.worn), (item.id for item in bank.items)),
        "banks": [{"name": one.bank, "sha256": fingerprint(one)} for one in sources_of(bank)],
    }


def pack_ids(ids: Collection[str], everything: Iterable[str]) -> str:
    """Which of `everything` (its order by id) are among `ids`: a bitmap, zlib, base64; "" for none.

    A result names what rested in a few hundred bytes, where the ids themselves could pass the size of an envelope.
    """
    if not ids:
        return ""
    bits = "".join("1" if one in ids else "0" for one in sorted(everything))
    return base64.b64encode(zlib.compress(int(bits[::-1], 2).to_bytes((len(bits) + 7) // 8, "little"), 9)).decode()


def unpack_ids(packed: str, everything: Iterable[str]) -> list[str]:
    """What `pack_ids` packed, for the same `everything`; ValueError for what it did not write."""
    order = sorted(everything)
    if not packed:
        return []
    try:
        unpacked = zlib.decompressobj()
        raw = unpacked.decompress(base64.b64decode(packed, validate=True), len(order) // 8 + 2)
    except zlib.error as error:
        raise ValueError("the list of resting items is broken") from error
    if len(raw) != (len(order) + 7) // 8:
        raise ValueError("the list of resting items is for another bank")
    return [one for at, one in enumerate(order) if raw[at // 8] >> (at % 8) & 1]


def paper_section(session: sessions.Session, attempt: sessions.Attempt) -> dict[str, Any]:
    """A result's `paper`: all that drawing the same paper again takes, but the bank.

    Less of it for a session that was opened before all this was recorded.
    """
    section: dict[str, Any] = {
        "bank": session.bank_id,
        "version": session.bank_version,
        "seed": attempt.seed,
        "sha256": attempt.digest,
        "attempt": attempt.id,
    }
    if session.draw is None:
        return section
    banks = session.draw["banks"]
    local = None
    if len(banks) > 1:
        local = {"bank": banks[1]["name"], "version": session.local_bank_version, "sha256": banks[1]["sha256"]}
    return section | {
        "algorithm": session.draw["algorithm"],
        "bank_sha256": banks[0]["sha256"],
        "local": local,
        "local_share": session.draw["local_share"],
        "rested": session.draw["rested"],
        "worn": session.draw["worn"],
        "blueprint": session.blueprint,
    }


# ---- what the page is shown


def page_parts(paper: Mapping[str, Any], bank: Index) -> list[dict[str, Any]]:
    """The paper as a candidate sees it: letters in the drawn order; numbers through all parts."""
    number = 0
    parts = []
    for part in paper["parts"]:
        items = []
        for drawn in part["items"]:
            number += 1
            items.append(_shown(bank, drawn, str(number)))
            items[-1]["n"] = number
        parts.append({"test": part["test"], "title": part["title"], "minutes": part.get("minutes"), "items": items})
    return parts


def _shown(bank: Index, drawn: Mapping[str, Any], number: str) -> dict[str, Any]:
    item = bank.items[drawn["id"]]
    shown: dict[str, Any] = {
        "id": item.id,
        "n": number,
        "type": item.type,
        "stem": item.stem,
        "stem_more": {language: words.stem for language, words in item.translations.items()},
        "options": [],
        "points": drawn["points"],
        "media": [_media(bank, media.name, media.alt) for media in item.media],
    }
    if isinstance(item, ChoiceItem | OrderItem | MatchItem):
        shown["options"] = _options(bank, item, drawn["order"])
    if isinstance(item, MatchItem):
        shown["left"] = [
            {"key": left.key, "text": left.text, "more": _more(item, "left", left.key)} for left in item.left
        ]
    if isinstance(item, FillItem):
        shown["blanks"] = [
            {"kind": "text", "unit": "", "shown_units": []} if isinstance(blank, TextBlank) else _number(blank)
            for blank in item.blanks
        ]
    if isinstance(item, HotspotItem):
        shown |= {"image": bank.shown[item.image], "aspect": item.aspect, "marks": drawn["marks"]}
    if isinstance(item, CaseItem):
        shown["items"] = [_shown(bank, sub, f"{number}.{at}") for at, sub in enumerate(drawn["items"], start=1)]
    return shown


def _number(blank: NumberBlank) -> dict[str, Any]:
    """A unit to print, or units to choose from; which are right is the key's to know."""
    given = "" if blank.shown_units else next(iter(blank.units), "")
    return {"kind": "number", "unit": given, "shown_units": list(blank.shown_units)}


def _options(bank: Index, item: ChoiceItem | OrderItem | MatchItem, order: Sequence[str]) -> list[dict[str, Any]]:
    by_key: dict[str, Option] = {option.key: option for option in item.options}
    return [
        {
            "key": LETTERS[at],
            "text": by_key[key].text,
            "more": _more(item, "options", key),
            "image": bank.shown.get(by_key[key].image or ""),
        }
        for at, key in enumerate(order)
    ]


def _more(item: ChoiceItem | OrderItem | MatchItem, what: str, key: str) -> dict[str, str]:
    """One text in the bank's other languages."""
    found: dict[str, str] = {}
    for language, words in item.translations.items():
        texts: dict[str, str] = words.left if what == "left" else words.options
        if key in texts:
            found[language] = texts[key]
    return found


def _media(bank: Index, name: str, alt: str) -> dict[str, Any]:
    file = bank.media[name]
    kind = file.type.partition("/")[0]
    return {"name": bank.shown[name], "kind": kind, "type": file.type, "alt": alt, "bytes": file.size}


def media_file(paper: Mapping[str, Any], bank: Index, name: str) -> MediaFile:
    """A file that an item of this paper shows, by what its page calls it; NotFound `media_unknown` for any other."""
    for part in paper["parts"]:
        for drawn in part["items"]:
            for own in media_names(bank.items[drawn["id"]]):
                if bank.shown[own] == name:
                    return bank.media[own]
    raise NotFound("media_unknown")


def checked_value(entries: Mapping[str, tuple[str, Mapping[str, Any]]], item: str, value: Sequence[str]) -> list[str]:
    """An answer in the form in which it is kept. BadInput for an item not on this paper or an answer it cannot have."""
    found = entries.get(item)
    if found is None:
        raise BadInput("item_not_on_paper")
    try:
        return normalise(found[1], value)
    except Wrong as wrong:
        raise BadInput(wrong.code) from wrong
