"""What a bank holds, in figures: nothing that gives a question or an answer away."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

from edge.bank.build import content_of
from edge.bank.items import CaseItem
from edge.bank.model import BankDocument, fingerprint
from edge.domain.paper import shortages

_EXPOSURE = ((0, "0"), (5, "1-5"), (20, "6-20"), (100, "21-100"))


def summary(bank: BankDocument) -> dict[str, Any]:
    """Counts by test, type, topic, difficulty and so on. `posts` counts items without any under `*`, which is all."""
    items = bank.items
    facts = [item.facts() for item in items]
    share = 100 if all(item.local for item in items) else 0
    blueprints = []
    for blueprint in bank.blueprints:
        short = [one.detail for one in shortages(facts, blueprint.model_dump(), local_share=share)]
        blueprints.append({"id": blueprint.id, "reachable": not short, "short": short})
    return {
        "bank": bank.bank,
        "title": bank.title.model_dump(),
        "sample": bank.sample,
        "sha256": hashlib.sha256(content_of(bank)).hexdigest(),
        "fingerprint": fingerprint(bank),
        "items": len(items),
        "questions": sum(len(item.items) if isinstance(item, CaseItem) else 1 for item in items),
        "points": sum(item.points for item in items),
        "local": sum(item.local for item in items),
        "groups": _counts(f"{item.test}/{item.type}" for item in items),
        "topics": _counts(item.topic for item in items),
        "difficulty": _counts(str(item.difficulty) for item in items),
        "posts": _counts(post for item in items for post in item.posts or ["*"]),
        "levels": _counts(level for item in items for level in item.levels or ["*"]),
        "regimes": _counts(regime for item in items for regime in [str(one) for one in item.regimes] or ["*"]),
        "languages": _counts(language for item in items for language in item.translations),
        "exposure": _counts(_exposure(item.exposure) for item in items),
        "media": {
            "files": len(bank.media),
            "bytes": sum(media.size for media in bank.media.values()),
            "types": _counts(media.type for media in bank.media.values()),
        },
        "rubrics": [rubric.id for rubric in bank.rubrics],
        "blueprints": blueprints,
    }


def keys(bank: BankDocument) -> list[dict[str, Any]]:
    """The questions with their answers, for who may see them."""
    return [item.model_dump(mode="json", by_alias=True, exclude_defaults=True) for item in bank.items]


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _exposure(times: int) -> str:
    return next((name for most, name in _EXPOSURE if times <= most), "> 100")
