"""What is wrong with a bank that its form alone does not show: near-duplicates, crowded templates, shortages."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from edge.bank.model import BankDocument, Item
from edge.domain.paper import shortages

NEAR = 0.6
PER_TEMPLATE = 5


@dataclass(frozen=True)
class Finding:
    """One problem: its reason code, the items it is about, and a figure."""

    code: str
    items: tuple[str, ...]
    detail: str


def lint(bank: BankDocument) -> list[Finding]:
    """Every finding, worst kind first; an empty list means the bank can be sealed with a good conscience."""
    return [*_shortages(bank), *near_duplicates(bank.items), *_crowded(bank.items)]


def _shortages(bank: BankDocument) -> list[Finding]:
    return [
        Finding("bank_short", (), f"{blueprint.id}: {s.test}/{s.type} {s.have}/{s.wanted}")
        for blueprint in bank.blueprints
        for s in shortages((item.facts() for item in bank.items), blueprint.model_dump())
    ]


def _crowded(items: list[Item]) -> list[Finding]:
    counts = Counter(item.template for item in items)
    return [
        Finding("bank_template", tuple(i.id for i in items if i.template == template), f"{template}: {count}")
        for template, count in counts.items()
        if count > PER_TEMPLATE
    ]


def near_duplicates(items: list[Item], limit: float = NEAR) -> list[Finding]:
    """Pairs whose texts share at least `limit` of their three-character runs (Jaccard), whatever the option order.

    An inverted index keeps this near linear: only items that share a rare run are compared.
    """
    grams = {item.id: _grams(item) for item in items}
    posts: dict[str, list[str]] = {}
    found: list[Finding] = []
    for item in items:
        own = grams[item.id]
        shared: Counter[str] = Counter()
        for gram in own:
            shared.update(posts.get(gram, ()))
            posts.setdefault(gram, []).append(item.id)
        for other, common in shared.items():
            likeness = common / (len(own) + len(grams[other]) - common)
            if likeness >= limit:
                found.append(Finding("bank_near_duplicate", (other, item.id), f"{likeness:.2f}"))
    return found


def _grams(item: Item) -> frozenset[str]:
    text = item.stem + "|" + "|".join(sorted(option.text for option in item.options))
    if item.type == "judgement":
        text = item.stem
    return frozenset(text[at : at + 3] for at in range(max(1, len(text) - 2)))
