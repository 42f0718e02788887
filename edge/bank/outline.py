"""What may be known of a bank that is still locked: enough to plan a session and to see if its papers can be drawn.

It stands in the signed manifest, in the clear: counts of items by what a blueprint draws by, blueprints and score
sheets. No question, option, answer, medium or id of an item.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from edge.bank.model import BankDocument, Bilingual, Blueprint, Rubric
from edge.domain.paper import ItemFacts
from edge.domain.reasons import words
from edge.errors import BadInput

_ALL = ("test", "type", "topic", "difficulty", "posts", "levels", "regimes", "local")


def outline(bank: BankDocument) -> dict[str, Any]:
    """The facts of `bank` for its manifest."""
    counts = Counter(_row(item.facts()) for item in bank.items)
    return {
        "title": bank.title.model_dump(),
        "stock": [[*row, count] for row, count in sorted(counts.items())],
        "blueprints": [one.model_dump(mode="json", by_alias=True) for one in bank.blueprints],
        "rubrics": [one.model_dump(mode="json", by_alias=True) for one in bank.rubrics],
    }


def stock(facts: Mapping[str, Any]) -> list[ItemFacts]:
    """As many items as the manifest counts, each as a blueprint sees it, under ids that mean nothing."""
    found = []
    try:
        for number, (test, kind, topic, difficulty, posts, levels, regimes, local, count) in enumerate(facts["stock"]):
            for one in range(count):
                item = ItemFacts(
                    f"{number}-{one}",
                    test,
                    kind,
                    (),
                    1,
                    f"{number}-{one}",
                    topic=topic,
                    difficulty=difficulty,
                    posts=_split(posts),
                    levels=_split(levels),
                    regimes=_split(regimes),
                    local=local,
                )
                found.append(item)
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput("bank_broken", where="stock", detail=words("check_facts")) from error
    return found


def outlined(name: str, facts: Mapping[str, Any]) -> BankDocument:
    """A locked bank as planning sees it: its blueprints and score sheets, and not one item."""
    try:
        return BankDocument.model_construct(
            bank=name,
            title=Bilingual.model_validate(facts["title"]),
            sample=bool(facts.get("sample", False)),
            items=[],
            rubrics=[Rubric.model_validate(one) for one in facts["rubrics"]],
            blueprints=[Blueprint.model_validate(one) for one in facts["blueprints"]],
            media={},
        )
    except (KeyError, TypeError, ValidationError) as error:
        raise BadInput("bank_broken", where="facts", detail=words("check_facts")) from error


def _row(item: ItemFacts) -> tuple[Any, ...]:
    found = (getattr(item, name) for name in _ALL)
    return tuple("\n".join(sorted(map(str, one))) if isinstance(one, frozenset) else one for one in found)


def _split(text: str) -> frozenset[str]:
    return frozenset(text.split("\n")) if text else frozenset()
