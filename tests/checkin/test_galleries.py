"""Searching among as many as a province's hall has, on made-up templates drawn alike each time (`support/galleries`).

How often it errs is measured by tests/bench/galleries.py; here it is held that the limit follows the size.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edge.domain.search import SearchThreshold
from edge.vision.manifest import read_manifest
from support.galleries import Crowd, Model, doubles, searched

HALL = 2000
FOUND = read_manifest("dlib").search_limits
assert FOUND is not None
LIMITS: SearchThreshold = FOUND
REFUSE = read_manifest("dlib").limits.refuse
RARE = 4 * LIMITS.fpir  # of few looks


class Fixed(SearchThreshold):
    """The same limits, but for a distance that does not follow the size."""

    def within(self, people: int) -> float:
        return self.accept


FIXED = Fixed(LIMITS.accept, LIMITS.apart, LIMITS.gallery, LIMITS.fpir, LIMITS.strangers)


def crowd() -> Crowd:
    return Crowd(Model(LIMITS.strangers, 0.3, 0.05, 0.09), np.random.default_rng(7))


def test_strangers_are_as_rarely_found_among_two_thousand_as_among_thirty() -> None:
    """By the distance alone: that the second nearest has to be `apart` saves some more of them."""
    by, fixed = replace(LIMITS, apart=0.0), replace(FIXED, apart=0.0)
    [small] = searched(crowd(), [by], REFUSE, 30, strangers=400, members=100, galleries=2)
    large, loose, shipped = searched(crowd(), [by, fixed, LIMITS], REFUSE, HALL, strangers=250, members=50, galleries=1)
    assert small.fpir <= RARE and large.fpir <= RARE and shipped.fpir <= large.fpir
    assert loose.fpir > RARE, "with one distance for every size it would be missed"
    assert small.misnamed == large.misnamed == shipped.misnamed == 0
    assert small.fnir < 0.2 and shipped.fnir < 0.6, "members are still found"


def test_a_large_roster_accuses_no_more_of_its_people_than_a_small_one() -> None:
    found, loose = doubles(crowd(), [LIMITS, FIXED], REFUSE, HALL, doubled=50, honest=250)
    assert found.fpir <= RARE < loose.fpir
    assert found.fnir < 0.5, "one face under two names is told"


def test_more_than_were_tried_are_refused() -> None:
    few = replace(LIMITS, gallery=HALL - 1)
    [count] = searched(crowd(), [few], REFUSE, HALL, strangers=4, members=4, galleries=1)
    assert count.fpir == 0 and count.fnir == 1
