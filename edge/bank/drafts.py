"""Items as they were read, not yet checked, with the place of each field for the message if it is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Loc = tuple[str | int, ...]
Step = Callable[[int, int], None]
"""How far a reader is: done, of all."""


@dataclass
class Draft:
    """One item. `places` maps a field's path to a cell or element; what has none is at `base`."""

    item: str
    fields: dict[str, Any]
    base: str
    places: dict[Loc, str] = field(default_factory=dict)

    def place(self, loc: Loc) -> str:
        for length in range(len(loc), 0, -1):
            if (place := self.places.get(loc[:length])) is not None:
                return place
        return self.base


@dataclass
class Batch:
    """What one file held."""

    drafts: list[Draft] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    """The bank's own name, title and mark, where the file has them."""
    rubrics: list[Any] = field(default_factory=list)
    """Drafts, or as they stood in JSON; likewise the blueprints."""
    blueprints: list[Any] = field(default_factory=list)
