"""Duplicates and near-duplicates, near linear in the number of items.

Two items are alike by the three-character runs of their words that they share (Jaccard). An inverted index of their
rarest longer runs says which pairs are worth comparing; a run that much of the bank has is left out of it.

One word more or less changes most of the runs of a short text, so short items of one type and test are compared by the
signs that would have to be changed as well. That finds 必须 for 应当, and a 不 put in.
"""

from __future__ import annotations

import unicodedata
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from math import ceil
from zlib import crc32

from edge.bank.items import CaseItem, ChoiceItem, FillItem, HotspotItem, Item, MatchItem, OrderItem

NEAR = 0.6
SHORT, LONG = 3, 6
"""Likeness counts runs of three characters; items meet by runs of six, which few items share by chance."""
COMMON = 200
"""A run in more items than this is a phrase of a template and brings nobody together."""
INDEXED = 0.6
"""Items as alike as NEAR share about half of their long runs, so some of the rarest six in ten."""
TOGETHER = 2
BRIEF, LIKENESS = 40, 0.75
"""Texts of up to so many signs are compared sign by sign, and are alike with so large a part unchanged."""
BUCKETS = 1 << 22
"""Runs are counted by hash; two in one bucket cost a comparison and change no result."""


def words_of(item: Item) -> str:
    """What an item says, without widths, cases, spaces and punctuation, whatever the order of its options."""
    parts = [item.stem]
    if isinstance(item, ChoiceItem | OrderItem | MatchItem) and item.type != "judgement":
        parts += sorted(option.text + (option.image or "") for option in item.options)
    if isinstance(item, MatchItem):
        parts += sorted(place.text for place in item.left)
    if isinstance(item, HotspotItem):
        parts.append(item.image)
    if isinstance(item, CaseItem):
        parts += [words_of(sub) for sub in item.items]
    parts += [media.name for media in item.media]
    folded = unicodedata.normalize("NFKC", "|".join(parts)).casefold()
    return "".join(sign for sign in folded if unicodedata.category(sign)[0] not in "ZPC" or sign == "|")


def answer_of(item: Item) -> object:
    """What is right, in the words of the options: two items that say the same should agree on it."""
    if isinstance(item, ChoiceItem):
        texts = {option.key: option.text for option in item.options}
        return frozenset(texts[key] for key in item.answer)
    if isinstance(item, OrderItem):
        texts = {option.key: option.text for option in item.options}
        return tuple(texts[key] for key in item.answer)
    if isinstance(item, MatchItem):
        texts = {option.key: option.text for option in item.options}
        lefts = {place.key: place.text for place in item.left}
        return frozenset((lefts[left], texts[key]) for left, key in item.answer.items())
    if isinstance(item, FillItem):
        return tuple(blank.model_dump_json() for blank in item.blanks)
    if isinstance(item, HotspotItem):
        return tuple(region.model_dump_json() for region in item.regions)
    return tuple(answer_of(sub) for sub in item.items)


def same_words(items: Iterable[Item]) -> list[list[Item]]:
    """Groups of items that say the same."""
    groups: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in items:
        groups[(item.type, words_of(item))].append(item)
    return [group for group in groups.values() if len(group) > 1]


def alike(items: Sequence[Item], limit: float = NEAR) -> list[tuple[str, str, float]]:
    """Pairs (earlier id, later id, likeness) that are nearly the same without saying just the same: by at least `limit`
    of their runs, or by the signs of short ones."""
    texts = [words_of(item) for item in items]
    found: dict[tuple[int, int], float] = {}
    for one, other in _meetings(texts, LONG):
        mine, theirs = texts[other], texts[one]
        if mine == theirs or not limit <= len(theirs) / len(mine) <= 1 / limit:
            continue
        runs, others = _runs(mine, SHORT), _runs(theirs, SHORT)
        common = len(runs & others)
        likeness = common / (len(runs) + len(others) - common)
        if likeness >= limit:
            found[one, other] = likeness
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for at, (item, text) in enumerate(zip(items, texts, strict=True)):
        if len(text) <= BRIEF:
            groups[item.type, item.test].append(at)
    for places in groups.values():
        for first, second in _meetings([texts[at] for at in places], SHORT):
            pair = places[first], places[second]
            if pair not in found and (likeness := _brief_likeness(texts[pair[0]], texts[pair[1]])) >= LIKENESS:
                found[pair] = likeness
    return [(items[one].id, items[other].id, likeness) for (one, other), likeness in sorted(found.items())]


def _meetings(texts: Sequence[str], length: int) -> Iterator[tuple[int, int]]:
    """Pairs of places, earlier first, whose texts have some rare runs of `length` in common."""
    runs, often = numbered(texts, length)
    posts: dict[int, array[int]] = {}
    for at, own in enumerate(runs):
        rare = sorted(own, key=lambda run: (often[run], run))[: ceil(len(own) * INDEXED) + TOGETHER]
        shared: Counter[int] = Counter()
        for run in rare:
            if 1 < often[run] <= COMMON:
                here = posts.setdefault(run, array("I"))
                shared.update(here)
                here.append(at)
        least = min(TOGETHER, len(rare))
        yield from ((other, at) for other, count in shared.items() if count >= least)


def _brief_likeness(one: str, other: str) -> float:
    """The part of the longer text that stays when one is changed into the other; 0 when that is less than LIKENESS,
    or nothing is changed."""
    longest = max(len(one), len(other))
    most = int(longest * (1 - LIKENESS))
    pairs, others = _runs(one, 2), _runs(other, 2)
    # a change touches two pairs of signs at most
    if one == other or abs(len(one) - len(other)) > most or len(pairs & others) < len(pairs) - 2 * most:
        return 0.0
    before = list(range(len(other) + 1))
    for row, sign in enumerate(one, start=1):
        now = [row]
        for at, mark in enumerate(other, start=1):
            now.append(min(before[at] + 1, now[-1] + 1, before[at - 1] + (sign != mark)))
        if min(now) > most:
            return 0.0
        before = now
    return 1 - before[-1] / longest if before[-1] <= most else 0.0


def _runs(text: str, length: int) -> set[str]:
    return {text[at : at + length] for at in range(max(1, len(text) - length + 1))}


def numbered(texts: Sequence[str], length: int) -> tuple[list[array[int]], array[int]]:
    """Each text's runs of `length` as numbers, and how many texts have each number."""
    often = array("I", bytes(4 * BUCKETS))
    numbered = []
    for text in texts:
        own = array("I", sorted({crc32(run.encode("utf-8", "replace")) % BUCKETS for run in _runs(text, length)}))
        for run in own:
            often[run] += 1
        numbered.append(own)
    return numbered, often
