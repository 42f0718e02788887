"""What is right: the key of an item, and whether a word, a number or a mark on a picture meets it.

Written answers are compared as people mean them: full-width and half-width characters are one, spaces and case do not
count. What is kept is what the candidate typed. A unit that was chosen is compared with its case: MPa is not mPa.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

_NUMBER = re.compile(r"([+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|[+-]?\.\d+)(.*)", re.DOTALL)
# an ideographic full stop between digits is what a Chinese keyboard gives for the decimal point
_POINT = re.compile(r"(?<=\d)。(?=\d)")
_MINUS = str.maketrans({"\u2212": "-", "\u2013": "-"})


@dataclass(frozen=True)
class BlankKey:
    """One blank of a fill-in: words that are `accepted`, or a number `value` ± `tolerance` in one of `units`.

    `unit_asked`: the candidate has to say the unit; else it stands beside the field, and saying it too does no harm.
    """

    kind: str
    accepted: tuple[str, ...] = ()
    value: Decimal = Decimal(0)
    tolerance: Decimal = Decimal(0)
    units: tuple[str, ...] = ()
    unit_asked: bool = False


@dataclass(frozen=True)
class RegionKey:
    """A right place: circle x, y, radius (of the width); rect left, top, right, bottom; poly x, y, ...; thousandths."""

    shape: str
    coords: tuple[int, ...]


@dataclass(frozen=True)
class Key:
    """All that scoring needs of an item. `answer`: choice, the right keys; order, all in order; match, "1C" pairs."""

    type: str
    answer: tuple[str, ...] = ()
    blanks: tuple[BlankKey, ...] = ()
    regions: tuple[RegionKey, ...] = ()
    aspect: int = 1000
    rule: str = "policy"


def plain(text: str) -> str:
    """`text` as it is compared: half-width, no spaces, no case."""
    return cased(text).casefold()


def cased(text: str) -> str:
    """`text` as a unit to choose is compared: half-width, no spaces, its case as it stands."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def blank_right(key: BlankKey, given: str) -> bool:
    """Whether `given` fills the blank. A unit that is asked must be there, once or twice ("5mm mm"); none but an
    accepted one may be."""
    if key.kind == "text":
        return plain(given) in {plain(accepted) for accepted in key.accepted}
    same = cased if key.unit_asked else plain
    units = {same(unit) for unit in key.units}
    found = _number(same(given))
    if found is not None and found[2] and found[2] not in units:
        found = _number(same(_once(given, key.units, same)))
    if found is None or found[2] not in (units if key.unit_asked else units | {""}):
        return False
    with localcontext() as context:
        context.prec = 300  # more digits than an answer may have, so nothing is rounded
        return abs(Decimal(found[1].replace(",", "")) - key.value) <= key.tolerance


def _number(compared: str) -> re.Match[str] | None:
    """The number that an answer begins with, and what stands after it."""
    return _NUMBER.fullmatch(_POINT.sub(".", compared).translate(_MINUS))


def decimal_of(text: str) -> Decimal | None:
    """The number that `text` is, read as in a blank: a comma parts thousands and nothing else. None when it is none."""
    found = _number(plain(text))
    return None if found is None or found[2] else Decimal(found[1].replace(",", ""))


def _once(given: str, units: Sequence[str], same: Callable[[str], str]) -> str:
    """`given` without its last unit where the same one was said before, in whatever case: some type what stands beside
    the field, and then choose."""
    words = unicodedata.normalize("NFKC", given).split()
    for unit in units:
        last = len(unicodedata.normalize("NFKC", unit).split())
        if len(words) > last and same("".join(words[-last:])) == same(unit):
            before = _number(plain("".join(words[:-last])))
            if before is not None and before[2] == plain(unit):
                return before[1] + unit
    return given


def regions_hit(regions: Sequence[RegionKey], marks: Sequence[str], aspect: int) -> int:
    """How many regions the marks ("x,y" in thousandths) hit, a mark and a region each counted once.

    The best pairing counts, so regions that overlap never depend on the order of the marks.
    """
    points = [tuple(int(part) for part in mark.split(",")) for mark in marks]
    hits = [[n for n, region in enumerate(regions) if _inside(region, x, y, aspect)] for x, y in points]
    owner: dict[int, int] = {}

    def place(mark: int, tried: set[int]) -> bool:
        for region in hits[mark]:
            if region not in tried:
                tried.add(region)
                if region not in owner or place(owner[region], tried):
                    owner[region] = mark
                    return True
        return False

    return sum(place(mark, set()) for mark in range(len(points)))


def _inside(region: RegionKey, x: int, y: int, aspect: int) -> bool:
    """Integers throughout; the edge belongs to the region."""
    at = region.coords
    if region.shape == "rect":
        return at[0] <= x <= at[2] and at[1] <= y <= at[3]
    if region.shape == "circle":
        return ((x - at[0]) * 1000) ** 2 + ((y - at[1]) * aspect) ** 2 <= (at[2] * 1000) ** 2
    corners = list(zip(at[::2], at[1::2], strict=True))
    inside = False
    for (x1, y1), (x2, y2) in zip(corners, [*corners[1:], corners[0]], strict=True):
        cross = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)
        if cross == 0 and min(x1, x2) <= x <= max(x1, x2) and min(y1, y2) <= y <= max(y1, y2):
            return True
        if (y1 > y) != (y2 > y) and (cross > 0) == (y2 > y1):
            inside = not inside
    return inside
