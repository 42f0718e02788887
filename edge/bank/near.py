"""Duplicates and near-duplicates, near linear in the number of items.

Two items are alike by the three-character runs of their words that they share (Jaccard). An inverted index of their
rarest longer runs says which pairs are worth comparing; a run that much of the bank has is left out of it.
"""

from __future__ import annotations

import unicodedata
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
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
    """Pairs (earlier id, later id, likeness) that share at least `limit` of their runs without saying just the same."""
    texts = [words_of(item) for item in items]
    runs, often = _numbered(texts)
    posts: dict[int, array[int]] = {}
    found = []
    for at, own in enumerate(runs):
        rare = sorted(own, key=lambda run: (often[run], run))[: ceil(len(own) * INDEXED) + TOGETHER]
        shared: Counter[int] = Counter()
        for run in rare:
            if 1 < often[run] <= COMMON:
                here = posts.setdefault(run, array("I"))
                shared.update(here)
                here.append(at)
        least = min(TOGETHER, len(rare))
        close = [other for other, count in shared.items() if count >= least]
        mine = _runs(texts[at], SHORT) if close else set()
        for other in close:
            if texts[other] == texts[at] or not limit <= len(texts[other]) / len(texts[at]) <= 1 / limit:
                continue
            theirs = _runs(texts[other], SHORT)
            common = len(mine & theirs)
            likeness = common / (len(mine) + len(theirs) - common)
            if likeness >= limit:
                found.append((other, at, likeness))
    return [(items[one].id, items[other].id, likeness) for one, other, likeness in sorted(found)]


def _runs(text: str, length: int) -> set[str]:
    return {text[at : at + length] for at in range(max(1, len(text) - length + 1))}


def _numbered(texts: Sequence[str]) -> tuple[list[array[int]], array[int]]:
    """Each text's long runs as numbers, and how many texts have each number."""
    often = array("I", bytes(4 * BUCKETS))
    numbered = []
    for text in texts:
        own = array("I", sorted({crc32(run.encode("utf-8", "replace")) % BUCKETS for run in _runs(text, LONG)}))
        for run in own:
            often[run] += 1
        numbered.append(own)
    return numbered, often
