"""What is wrong with a bank that its form alone does not show.

Errors are what makes an exam wrong or impossible; warnings are what its owner should look at.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from edge.bank import near, stems
from edge.bank.items import (
    BLANK,
    CaseItem,
    ChoiceItem,
    FillItem,
    HotspotItem,
    Item,
    MatchItem,
    NumberBlank,
    OrderItem,
    TextBlank,
    media_names,
)
from edge.bank.media import fault_of
from edge.bank.model import BankDocument
from edge.domain.keys import plain
from edge.domain.paper import shortages
from edge.domain.reasons import sentence

NEAR = near.NEAR
PER_TEMPLATE = 5
LOPSIDED, LONGEST = 80, 60
"""Per cent of judgement items with one answer, and of single choices whose key is the longest, that show a habit."""
ENOUGH = 10
"""Fewer items than this show no habit."""
_WARNINGS = frozenset(
    (
        "bank_near_duplicate",
        "bank_same_stem",
        "bank_template",
        "bank_media_unused",
        "bank_exposed",
        "bank_lopsided",
        "bank_longest",
        "bank_option_refers",
        "bank_sample_mixed",
        "bank_unit_case",
        "bank_unit_certain",
    )
)
REFERS = re.compile(
    r"^(以上|上述|前[两二三四]项).{0,3}(都|均|全|皆|是|对|正确|错)|[A-H][、和与及,，]\s*[A-H]\b"
    r"|\b(all|none|both|neither) of the (above|others)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Finding:
    """One problem: its reason code, the items it is about, and a figure or name."""

    code: str
    items: tuple[str, ...]
    detail: str

    @property
    def severity(self) -> str:
        return "warning" if self.code in _WARNINGS else "error"

    def sentence(self, language: str) -> str:
        shown = ", ".join(self.items[:8]) + (f" … ({len(self.items)})" if len(self.items) > 8 else "")
        return sentence(self.code, language, items=shown, detail=self.detail)

    def as_json(self) -> dict[str, Any]:
        return {
            "severity": self.severity,
            "code": self.code,
            "items": list(self.items),
            "detail": self.detail,
            "zh": self.sentence("zh"),
            "en": self.sentence("en"),
        }


def lint(bank: BankDocument, max_exposure: int | None = None) -> list[Finding]:
    """Every finding, errors first; an empty list means the bank can be sealed with a good conscience."""
    found = [
        *_shortages(bank),
        *_duplicates(bank.items),
        *near_duplicates(bank.items),
        *_empty_keys(bank.items),
        *_asked_units(bank.items),
        *_translations(bank.items),
        *_media(bank),
        *_crowded(bank.items),
        *_exposed(bank, max_exposure),
        *_habits(bank.items),
        *_referring(bank.items),
        *_samples(bank),
    ]
    return sorted(found, key=lambda finding: finding.severity)


def errors(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == "error"]


def _shortages(bank: BankDocument) -> Iterator[Finding]:
    facts = [item.facts() for item in bank.items]
    # an institution's own bank serves its share of a province's blueprint, and is judged by what it has
    share = 100 if all(item.local for item in bank.items) else 0
    for blueprint in bank.blueprints:
        for short in shortages(facts, blueprint.model_dump(), local_share=share):
            yield Finding("bank_short", (), f"{blueprint.id}: {short.detail}")


def _duplicates(items: Sequence[Item]) -> Iterator[Finding]:
    for group in near.same_words(items):
        agree = len({near.answer_of(item) for item in group}) == 1
        yield Finding("bank_duplicate" if agree else "bank_contradiction", tuple(item.id for item in group), "")


def near_duplicates(items: Sequence[Item], limit: float = NEAR) -> list[Finding]:
    """Items that are nearly the same, or ask the same; each pair once."""
    pairs = near.alike(items, limit)
    known = {(one, other) for one, other, _ in pairs}
    return [
        *(Finding("bank_near_duplicate", (one, other), f"{likeness:.2f}") for one, other, likeness in pairs),
        *(Finding("bank_same_stem", tuple(one.id for one in group), "") for group in stems.same_stems(items, known)),
        *(
            Finding("bank_near_duplicate", ids, f"{likeness:.2f}")
            for ids, likeness in stems.same_statements(items, known)
        ),
    ]


def _single(items: Iterable[Item]) -> Iterator[Item]:
    """Items and the questions inside cases, each that is answered itself."""
    for item in items:
        if isinstance(item, CaseItem):
            yield from item.items
        else:
            yield item


def _empty_keys(items: Iterable[Item]) -> Iterator[Finding]:
    for item in _single(items):
        if isinstance(item, FillItem):
            for number, blank in enumerate(item.blanks, start=1):
                if isinstance(blank, TextBlank) and not all(map(_says, blank.accepted)):
                    yield Finding("bank_key_empty", (item.id,), f"{BLANK} {number}")
        if isinstance(item, HotspotItem):
            for number, region in enumerate(item.regions, start=1):
                if _area(region.shape, region.coords) <= 0:
                    yield Finding("bank_key_empty", (item.id,), f"region {number}")


def _asked_units(items: Iterable[Item]) -> Iterator[Finding]:
    """Blanks whose unit is asked where every choice is right, or two differ by their case alone."""
    for item in _single(items):
        for number, blank in enumerate(item.blanks if isinstance(item, FillItem) else (), start=1):
            if isinstance(blank, NumberBlank) and blank.shown_units:
                right = {plain(unit) for unit in blank.units}
                if all(plain(unit) in right for unit in blank.shown_units):
                    yield Finding("bank_unit_certain", (item.id,), f"{BLANK} {number}")
                shown = Counter(map(plain, blank.shown_units))
                if alike := [unit for unit in blank.shown_units if shown[plain(unit)] > 1]:
                    yield Finding("bank_unit_case", (item.id,), f"{BLANK} {number}: {', '.join(alike)}")


def _says(text: str) -> bool:
    return any(unicodedata.category(sign)[0] not in "ZC" for sign in text)


def _area(shape: str, coords: Sequence[int]) -> int:
    if shape == "circle":
        return coords[2]
    if shape == "rect":
        return (coords[2] - coords[0]) * (coords[3] - coords[1])
    points = list(zip(coords[::2], coords[1::2], strict=True))
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, [*points[1:], points[0]], strict=True)))


def _translations(items: Iterable[Item]) -> Iterator[Finding]:
    for item in [*items, *(sub for case in items if isinstance(case, CaseItem) for sub in case.items)]:
        for language, words in item.translations.items():
            options = {o.key for o in item.options} if isinstance(item, ChoiceItem | OrderItem | MatchItem) else set()
            left = {place.key for place in item.left} if isinstance(item, MatchItem) else set()
            wrong = sorted((set(words.options) ^ options) | (set(words.left) ^ left))
            if isinstance(item, FillItem) and words.stem.count(BLANK) != len(item.blanks):
                wrong.append(BLANK)
            if wrong:
                yield Finding("bank_translation", (item.id,), f"{language}: {', '.join(wrong)}")
    for item in items:
        if isinstance(item, CaseItem):
            for language in item.translations:
                if lacking := tuple(sub.id for sub in item.items if language not in sub.translations):
                    yield Finding("bank_translation", lacking, language)


def _media(bank: BankDocument) -> Iterator[Finding]:
    used: dict[str, str] = {}
    for item in bank.items:
        for name in media_names(item):
            used.setdefault(name, item.id)
    for name, media in bank.media.items():
        if name not in used:
            yield Finding("bank_media_unused", (), name)
        if fault_of(media.content(), media.type) is not None:
            yield Finding("bank_media_bad", (used[name],) if name in used else (), f"{name} ({media.type})")


def _crowded(items: Sequence[Item]) -> Iterator[Finding]:
    groups: dict[str, list[str]] = {}
    for item in items:
        groups.setdefault(item.template, []).append(item.id)
    for template, ids in groups.items():
        if len(ids) > PER_TEMPLATE:
            yield Finding("bank_template", tuple(ids), f"{template}: {len(ids)}")


def _exposed(bank: BankDocument, limit: int | None) -> Iterator[Finding]:
    limits = [blueprint.max_exposure for blueprint in bank.blueprints if blueprint.max_exposure is not None]
    least = min([*limits, *([] if limit is None else [limit])], default=None)
    if least is not None and (ids := tuple(item.id for item in bank.items if item.exposure > least)):
        yield Finding("bank_exposed", ids, str(least))


def _habits(items: Iterable[Item]) -> Iterator[Finding]:
    choices = [item for item in _single(items) if isinstance(item, ChoiceItem)]
    answers = Counter(
        next(option.text for option in item.options if option.key in item.answer)
        for item in choices
        if item.type == "judgement"
    )
    total = answers.total()
    for text, count in answers.most_common(1):
        if total >= ENOUGH and count * 100 > LOPSIDED * total:
            yield Finding("bank_lopsided", (), f"{text} {count}/{total}")
    singles = [item for item in choices if item.type == "single"]
    longest = [item.id for item in singles if _key_is_longest(item)]
    if len(singles) >= ENOUGH and len(longest) * 100 > LONGEST * len(singles):
        yield Finding("bank_longest", tuple(longest), f"{len(longest)}/{len(singles)}")


def _key_is_longest(item: ChoiceItem) -> bool:
    right = next(len(option.text) for option in item.options if option.key in item.answer)
    return all(len(option.text) < right for option in item.options if option.key not in item.answer)


def _referring(items: Iterable[Item]) -> Iterator[Finding]:
    for item in _single(items):
        if isinstance(item, ChoiceItem) and item.type != "judgement":
            for option in item.options:
                if REFERS.search(option.text):
                    yield Finding("bank_option_refers", (item.id,), f"{option.key} {option.text[:30]}")


def _samples(bank: BankDocument) -> Iterator[Finding]:
    if not bank.sample and (ids := tuple(item.id for item in bank.items if item.sample)):
        yield Finding("bank_sample_mixed", ids, str(len(ids)))
