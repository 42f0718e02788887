"""Made-up people for searching among many: templates drawn from a model, and how often a search errs among them.

The model: a template is a person's place and the picture's noise, both normal, in `dimensions` of the 128 directions.
Templates of two people are then apart as the pack's manifest takes strangers to be (`Strangers`), and two pictures of
one person `own` on average with a deviation of `own_spread`: some pictures are worse than others. Frames of one look
share the look's noise and are `frame` apart. Nobody real looks like this: it shows that the limits do what they say
where the model holds, and nothing about a province's candidates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edge.checkin.look import Seen
from edge.checkin.search import Entry, distances, registered
from edge.domain.faces import FULL_AREA
from edge.domain.search import Found, SearchThreshold, Strangers, pick, suspect
from edge.vision.template import LENGTH, Template

Places = npt.NDArray[np.float64]
FRAMES = 3
"""Of a look, as the door takes by default."""


@dataclass(frozen=True)
class Model:
    """What the synthetic templates are drawn from; all are Euclidean distances of templates."""

    strangers: Strangers
    own: float
    own_spread: float
    frame: float


class Crowd:
    """Draws people and pictures of them."""

    def __init__(self, model: Model, random: np.random.Generator, centre: Places | None = None) -> None:
        self._random = random
        self._centre = np.zeros(LENGTH) if centre is None else centre
        number = model.strangers.dimensions
        self._axes = np.linalg.qr(random.normal(size=(LENGTH, number)))[0].T
        one = replace(model.strangers, mean=1.0).scale  # of a mean distance of 1
        self._noise = model.own * one / math.sqrt(2)
        self._frame = model.frame * one / math.sqrt(2)
        # the spread that the dimensions alone do not give comes from pictures of unlike quality
        spread = max((model.own_spread / model.own) ** 2 - 1 / (2 * number), 0.0)
        self._unlike = math.sqrt(2 * spread)
        self._place = math.sqrt(model.strangers.scale**2 / 2 - self._noise**2)

    def people(self, number: int) -> Places:
        return self._normal(number) * self._place

    def pictures(self, places: Places) -> Places:
        """One picture of each, still as places: what `templates` makes templates of."""
        worse = np.exp(self._unlike * self._random.normal(size=(len(places), 1)) - self._unlike**2)
        return places + self._normal(len(places)) * self._noise * worse

    def templates(self, places: Places) -> npt.NDArray[np.float32]:
        return (self._centre + places @ self._axes).astype(np.float32)

    def look(self, place: Places) -> list[Seen]:
        """The frames of one look at one person."""
        looked = self.pictures(place[np.newaxis]) + self._normal(FRAMES) * self._frame
        return [Seen(template, 1.0, FULL_AREA) for template in self.templates(looked)]

    def _normal(self, number: int) -> Places:
        return self._random.normal(size=(number, len(self._axes)))


def entries(templates: npt.NDArray[np.float32] | list[Template], first: int = 0) -> list[Entry]:
    return [Entry("S", f"P-{number}", number, None, one) for number, one in enumerate(templates, start=first)]


@dataclass
class Counted:
    """Looks of strangers and of members of a gallery, and what a search made of them."""

    strangers: int = 0
    strangers_found: int = 0
    members: int = 0
    found: int = 0
    ambiguous: int = 0
    misnamed: int = 0

    @property
    def fpir(self) -> float:
        return self.strangers_found / self.strangers

    @property
    def fnir(self) -> float:
        """Of members: not found, or found to be somebody else."""
        return 1 - self.found / self.members

    def stranger(self, found: Found) -> None:
        self.strangers += 1
        self.strangers_found += found.place is not None

    def member(self, place: int, found: Found) -> None:
        self.members += 1
        self.found += found.place == place
        self.misnamed += found.place not in (None, place)
        self.ambiguous += found.reason == "search_ambiguous"


def searched(
    crowd: Crowd, by: Sequence[SearchThreshold], refuse: float, size: int, strangers: int, members: int, galleries: int
) -> list[Counted]:
    """Looks of so many strangers and members, shared among galleries of `size` people; by each of the limits."""
    counts = [Counted() for _ in by]
    for _ in range(galleries):
        places = crowd.people(size)
        gallery = entries(crowd.templates(crowd.pictures(places)))
        for one in crowd.people(strangers // galleries):
            apart = distances(crowd.look(one), gallery)
            for count, limits in zip(counts, by, strict=True):
                count.stranger(pick(*apart, limits, refuse))
        for number in range(members // galleries):
            place = number % size
            apart = distances(crowd.look(places[place]), gallery)
            for count, limits in zip(counts, by, strict=True):
                count.member(place, pick(*apart, limits, refuse))
    return counts


@dataclass
class Doubles:
    """People of a roster compared with all the others of it: who is one person under two names, and who is not."""

    honest: int = 0
    accused: int = 0
    doubled: int = 0
    missed: int = 0

    @property
    def fpir(self) -> float:
        return self.accused / self.honest

    @property
    def fnir(self) -> float:
        return self.missed / self.doubled


def doubles(
    crowd: Crowd, by: Sequence[SearchThreshold], refuse: float, size: int, doubled: int, honest: int, rosters: int = 1
) -> list[Doubles]:
    """Rosters of `size` people, the last `doubled` of them the first ones once more, by another picture. Of each those
    first ones and `honest` others are compared with everybody else; by each of the limits."""
    counts = [Doubles() for _ in by]
    for _ in range(rosters):
        places = crowd.people(size - doubled)
        places = np.concatenate([places, places[:doubled]])
        roster = entries(crowd.templates(crowd.pictures(places)))
        for place, one in enumerate(roster[: doubled + honest]):
            others = roster[:place] + roster[place + 1 :]
            apart = distances(registered(one.template), others)
            for count, limits in zip(counts, by, strict=True):
                found = suspect(*apart, limits, refuse)
                if place >= doubled:
                    count.honest += 1
                    count.accused += found is not None
                else:
                    count.doubled += 1
                    count.missed += found is None or others[found].number != size - doubled + place
    return counts
