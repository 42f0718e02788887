"""Error rates of a comparison (ISO/IEC 19795-1) and of liveness (ISO/IEC 30107-3). None where too little was seen."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Distances = npt.NDArray[np.float64]
ROC_POINTS = 200
DOUBT = 0.05
APCERS = (0.1, 0.05, 0.01)
"""At which the errors with people are given too: BPCER10, BPCER20 and BPCER100 of ISO/IEC 30107-3."""


def share(count: int, of: int) -> float | None:
    return count / of if of else None


def at_most(count: int, of: int) -> float | None:
    """The rate that finding `count` of so many is still compatible with (95 %, one-sided; Clopper and Pearson).

    It takes the trials for independent: pairs that share people are fewer than they seem.
    """
    if not of or count >= of:
        return 1.0 if of else None
    seen = np.arange(count + 1)
    ways = np.array([math.lgamma(of + 1) - math.lgamma(n + 1) - math.lgamma(of - n + 1) for n in seen.tolist()])
    low, high = count / of, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        so_few = np.exp(ways + seen * math.log(middle) + (of - seen) * math.log1p(-middle)).sum() if middle < 1 else 0.0
        low, high = (middle, high) if so_few > DOUBT else (low, middle)
    return high


def at_far(same: Distances, different: Distances, far: float) -> tuple[float | None, float | None]:
    """(TAR, threshold): the share of same-person pairs nearer than the distance that lets at most `far` of the
    different pairs pass, and that distance.

    None with fewer than 1/far different pairs: a rate that one pair could not even show is not measured.
    """
    if not len(same) or len(different) < round(1 / far):
        return None, None
    allowed = int(far * len(different) + 1e-9)
    limit = np.partition(different, allowed)[allowed] if allowed < len(different) else np.inf
    return float(np.count_nonzero(same < limit) / len(same)), float(limit)


def roc(same: Distances, different: Distances) -> list[dict[str, float]]:
    """Up to 400 points (threshold, fmr, fnmr) over all distances seen; empty without both kinds of pairs.

    Half of them lie evenly; the others where the false matches are the first, second, fourth ... hundredth: small
    rates are what a door works at.
    """
    if not len(same) or not len(different):
        return []
    every = np.unique(np.concatenate([same, different]))
    same, different = np.sort(same), np.sort(different)
    places = np.linspace(0, len(every) - 1, min(ROC_POINTS, len(every))).round().astype(int)
    few = np.geomspace(1, len(different), ROC_POINTS).round().astype(int) - 1
    places = np.unique(np.concatenate([places, np.searchsorted(every, different[few])]))
    return [
        {
            "threshold": round(float(limit), 6),
            "fmr": float(np.searchsorted(different, limit, side="right") / len(different)),
            "fnmr": float(1 - np.searchsorted(same, limit, side="right") / len(same)),
        }
        for limit in every[places]
    ]


def best_threshold(same: Distances, different: Distances) -> float | None:
    """The distance that decides most pairs right, the middle of its range; None without both kinds."""
    if not len(same) or not len(different):
        return None
    values = np.concatenate([same, different])
    order = np.argsort(values, kind="stable")
    gain = np.where(order < len(same), 1, -1)
    values = values[order]
    # right[k]: pairs decided right, less the different ones, when the first k count as matches
    right = np.concatenate([[0], np.cumsum(gain)])
    ends = np.concatenate([values[1:] != values[:-1], [True]])
    right[1:][~ends] = np.iinfo(right.dtype).min
    taken = int(np.argmax(right))
    below = values[taken - 1] if taken else values[0] - 1e-6
    above = values[taken] if taken < len(values) else values[-1] + 1e-6
    return float((below + above) / 2)


def accuracy(
    distances: Distances, same: npt.NDArray[np.bool_], folds: Sequence[tuple[int, int]]
) -> tuple[float | None, int, list[float]]:
    """The share decided right by thresholds chosen without the people of the pair, of how many, and the thresholds.

    folds: of each pair, the folds of its two people. A pair is decided by the pairs in which nobody of these folds is.
    """
    both = np.array(folds, int).reshape(-1, 2)
    right, thresholds = 0, []
    decided = 0
    for one, other in itertools.combinations_with_replacement(sorted(set(both.ravel().tolist())), 2):
        tested = (both.min(axis=1) == one) & (both.max(axis=1) == other)
        if not tested.any():
            continue
        rest = ~np.isin(both, (one, other)).any(axis=1)
        limit = best_threshold(distances[rest & same], distances[rest & ~same])
        if limit is None:
            continue
        thresholds.append(limit)
        decided += int(np.count_nonzero(tested))
        right += int(np.count_nonzero((distances[tested] <= limit) == same[tested]))
    return share(right, decided), decided, thresholds


def attack_rates(scores: dict[str, list[float | None]], live: float, bonafide: str) -> dict[str, Any]:
    """APCER of each kind of attack and BPCER at `live`; a score is None where no face was found (a non-response).

    A person counts as an error also when the verdict is to look again. Never one figure for all attacks: the worst
    kind is what the room is worth.
    """
    attacks = {}
    for kind in sorted(set(scores) - {bonafide}):
        judged = [score for score in scores[kind] if score is not None]
        passed = sum(score >= live for score in judged)
        attacks[kind] = {
            "presentations": len(scores[kind]),
            "no_face": len(scores[kind]) - len(judged),
            "taken_for_live": passed,
            "apcer": share(passed, len(judged)),
            "apcer_at_most": at_most(passed, len(judged)),
        }
    people = scores.get(bonafide, [])
    judged = [score for score in people if score is not None]
    turned_away = sum(score < live for score in judged)
    known = [kind["apcer"] for kind in attacks.values() if kind["apcer"] is not None]
    return {
        "live_threshold": live,
        "attacks": attacks,
        "apcer_worst": max(known) if known else None,
        "bonafide": {"presentations": len(people), "no_face": len(people) - len(judged), "turned_away": turned_away},
        "bpcer": share(turned_away, len(judged)),
        "bpcer_at_most": at_most(turned_away, len(judged)),
        "bpcer_at_apcer": {f"{apcer:g}": _bpcer_at(scores, apcer, bonafide) for apcer in APCERS},
    }


def _bpcer_at(scores: dict[str, list[float | None]], apcer: float, bonafide: str) -> dict[str, float] | None:
    """{"threshold", "bpcer"} of the least threshold at which no kind of attack passes more often than `apcer`.

    None with fewer than 1/apcer attacks of a kind, which could not show that rate, and without people.
    """
    least = 0.0
    judged = {kind: sorted(score for score in every if score is not None) for kind, every in scores.items()}
    people = judged.pop(bonafide, [])
    for found in judged.values():
        if len(found) < round(1 / apcer):
            return None
        allowed = int(apcer * len(found) + 1e-9)
        least = max(least, math.nextafter(found[-1 - allowed], math.inf))
    if not people or not judged:
        return None
    return {"threshold": least, "bpcer": sum(score < least for score in people) / len(people)}
