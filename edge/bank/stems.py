"""Items that ask the same in another dress: other distractors, another type, a unit written otherwise.

Two passes beside the comparison of whole items in `near`, each within one test. Equal stems; and statements, which are
a stem with its answer put in, alike by the signs they have in common in one order (longest common subsequence). Both
leave the distractors out. Statements with different numbers in them say different things, and the frame of a stem
(下列关于 … 的说法，正确的是) says nothing.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from math import ceil

from edge.bank import near
from edge.bank.items import BLANK, CaseItem, ChoiceItem, FillItem, HotspotItem, Item, MatchItem, NumberBlank, OrderItem

ALIKE, PAIRS = 0.75, 0.5
"""Of the signs of both together, and of their pairs of signs, so many are common to them."""
SHARED = 0.25
"""Statements as alike as that share so many of their runs."""
BRIEF = 24
"""Statements up to this long meet by runs of three signs too, all by runs of four."""
_SLOT = re.compile(rf"{BLANK}|\(\s*\)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_UNITS = {"毫米": "mm", "厘米": "cm", "千米": "km", "公里": "km", "米": "m", "千克": "kg", "公斤": "kg", "吨": "t"}
_UNITS |= {"千牛": "kn", "兆帕": "mpa", "千帕": "kpa", "伏": "v", "毫安": "ma", "分钟": "min", "小时": "h", "度": "°"}
_UNIT = re.compile(rf"(?<=\d)\s*({'|'.join(_UNITS)})")
# what a stem says before anybody knows what it asks of; one that says no more goes with any options
_FRAME = re.compile(
    r"下列|以下|下面|上述|关于|有关|对于|说法|叙述|描述|表述|做法|行为|情况|情形|选项|正确|错误|属于|符合|要求|规定|判断|选择"
    r"|哪[一几]?[项个种些]?|[不的是有为中对错请选出和与及]|which|following|statement|correct|true|false|right|wrong"
    r"|of|the|is|are|not|one|s"
)
# likewise, but for what turns a statement round
_MOULD = re.compile(
    r"下列|以下|下面|上述|关于|有关|对于|的?(?:说法|叙述|表述|描述|做法)(?:中)?|(?:不?正确|错误)的?[是有]?|哪[一几]?[项个种些]?"
)
_SAYS = 4
"""Signs beside its frame that a stem needs to be a question of its own."""
Known = frozenset[tuple[str, str]] | set[tuple[str, str]]


def same_stems(items: Iterable[Item], known: Known) -> list[list[Item]]:
    """Groups of items that ask just the same and are not known, pair by pair, to be alike."""
    groups: dict[tuple[str, ...], list[Item]] = defaultdict(list)
    for item in items:
        if _own(stem := _folded(_SLOT.sub("", _wide(item.stem)))):
            groups[item.test, stem, *_shown(item)].append(item)
    return [group for group in groups.values() if _is_new(group, known)]


def same_statements(items: Sequence[Item], known: Known) -> list[tuple[tuple[str, ...], float]]:
    """Ids of items that state the same, or nearly so, with their likeness; those that `same_stems` or `known` name
    are left out."""
    found: list[tuple[tuple[str, ...], float]] = []
    tests: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        tests[item.test].append(item)
    for asked in tests.values():
        groups: dict[str, list[Item]] = defaultdict(list)
        for item in asked:
            groups[_full(item)].append(item)
        for group in groups.values():
            if _is_new(group, known) and len({_stem(item) for item in group}) > 1:
                found.append((tuple(item.id for item in group), 1.0))
        found += _nearly([group[0] for group in groups.values()], list(groups), known)
    return found


def _nearly(items: Sequence[Item], texts: Sequence[str], known: Known) -> list[tuple[tuple[str, ...], float]]:
    numbers = [sorted(_NUMBER.findall(_wide(_statement(item)))) for item in items]
    short = [at for at, text in enumerate(texts) if len(text) <= BRIEF]
    met = {(short[one], short[other]) for one, other in _meetings([texts[at] for at in short], 3)}
    found: list[tuple[tuple[str, ...], float]] = []
    for one, other in sorted(met.union(_meetings(texts, 4))):
        if numbers[one] != numbers[other] or (items[one].id, items[other].id) in known:
            continue
        likeness = _likeness(texts[one], texts[other])
        if likeness >= ALIKE and (_stem(items[one]) != _stem(items[other]) or not _own(_stem(items[one])[0])):
            found.append(((items[one].id, items[other].id), likeness))
    return found


def _meetings(texts: Sequence[str], length: int) -> Iterator[tuple[int, int]]:
    """Pairs of places, earlier first, whose texts share enough of the runs that are neither theirs alone nor much of
    the bank's."""
    runs, often = near.numbered(texts, length)
    posts: dict[int, array[int]] = {}
    for at, own in enumerate(runs):
        useful = [run for run in own if 1 < often[run] <= near.COMMON]
        shared: Counter[int] = Counter()
        for run in useful:
            here = posts.setdefault(run, array("I"))
            shared.update(here)
            here.append(at)
        least = min(len(useful), max(near.TOGETHER, ceil(len(useful) * SHARED)))
        yield from ((other, at) for other, count in shared.items() if count >= least)


def _likeness(one: str, other: str) -> float:
    """The part of both that is a common subsequence; 0 where they have too few pairs of signs in common."""
    size = len(one) + len(other)
    if min(len(one), len(other)) * 2 < size * ALIKE:
        return 0.0
    pairs, others = ({text[at : at + 2] for at in range(len(text) - 1)} for text in (one, other))
    if len(pairs & others) * 2 < (len(pairs) + len(others)) * PAIRS:
        return 0.0
    return 2 * _common(one, other) / size


def _is_new(group: Sequence[Item], known: Known) -> bool:
    """Whether any two of the group say different things, and nobody knows of them yet. Of many, the first tell."""
    pairs = combinations(group[:10], 2)
    return any(
        (one.id, other.id) not in known and (one.type, near.words_of(one)) != (other.type, near.words_of(other))
        for one, other in pairs
    )


def _own(stem: str) -> bool:
    return len(_FRAME.sub("", stem)) >= _SAYS


def _stem(item: Item) -> tuple[str, ...]:
    return (_folded(_SLOT.sub("", _wide(item.stem))), *_shown(item))


def _shown(item: Item) -> list[str]:
    """What an item shows belongs to what it asks."""
    return sorted([*(media.name for media in item.media), *([item.image] if isinstance(item, HotspotItem) else [])])


def _full(item: Item) -> str:
    """What an item states, without its frame, and what it shows."""
    return "|".join((_folded(_MOULD.sub("", _statement(item))), *_shown(item)))


def _statement(item: Item) -> str:
    """The stem with its answer in place of the blanks, or after it."""
    text, keys = _wide(item.stem), _keys(item)
    slots = len(_SLOT.findall(text))
    if slots and len(keys) != slots:
        keys = ["".join(keys)] + [""] * (slots - 1)
    waiting = iter(keys)
    return _SLOT.sub(lambda _slot: next(waiting), text) + "".join(waiting)


def _keys(item: Item) -> list[str]:
    """What is right, in the item's own words; a judgement states it already."""
    if isinstance(item, ChoiceItem):
        return sorted(o.text for o in item.options if o.key in item.answer) if item.type != "judgement" else []
    if isinstance(item, OrderItem):
        texts = {option.key: option.text for option in item.options}
        return [texts[key] for key in item.answer]
    if isinstance(item, MatchItem):
        texts = {option.key: option.text for option in item.options}
        return sorted(left.text + texts[item.answer[left.key]] for left in item.left)
    if isinstance(item, FillItem):
        return [
            f"{blank.value}{next(iter(blank.units), '')}" if isinstance(blank, NumberBlank) else blank.accepted[0]
            for blank in item.blanks
        ]
    return [_statement(sub) for sub in item.items] if isinstance(item, CaseItem) else []


def _wide(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _folded(text: str) -> str:
    """Without spaces and punctuation, and with one sign for a unit after a number."""
    same = _UNIT.sub(lambda unit: _UNITS[unit[1]], _wide(text))
    return "".join(sign for sign in same if unicodedata.category(sign)[0] not in "ZPC")


def _common(one: str, other: str) -> int:
    """Length of the longest common subsequence, a row of the table at a time as the bits of one number."""
    places: dict[str, int] = {}
    for at, sign in enumerate(one):
        places[sign] = places.get(sign, 0) | 1 << at
    whole = (1 << len(one)) - 1
    row = whole
    for sign in other:
        here = row & places.get(sign, 0)
        row = ((row + here) | (row - here)) & whole
    return len(one) - row.bit_count()
