"""What the room takes from a resident identity card: a name and a number. Nothing else of a card is ever kept."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class IdCard:
    """The holder's name as written on the card, and the number, whose check character holds. Neither is in `repr`."""

    name: str = field(repr=False)
    number: str = field(repr=False)
