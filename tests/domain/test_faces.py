from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.faces import Evidence, Threshold, decide
from edge.domain.reasons import REASONS
from edge.errors import BadInput

LIMITS = Threshold(0.45, 0.55)
RANK = {"match": 0, "ask_again": 1, "no_match": 2}

distances = st.floats(0, 2)
evidence = st.builds(Evidence, distances, st.floats(0, 1), st.floats(0, 1e6))
looks = st.lists(evidence, max_size=8)
counted = st.builds(Evidence, distances, st.floats(0.01, 1), st.floats(100, 1e6))


@pytest.mark.parametrize(
    ("frames", "verdict", "reason"),
    [
        ([], "ask_again", "face_none"),
        ([Evidence(0.1, 0.0, 22_500)], "ask_again", "face_none"),
        ([Evidence(0.30, 1, 22_500)], "match", "face_matched"),
        ([Evidence(0.45, 1, 22_500)], "match", "face_matched"),
        ([Evidence(0.46, 1, 22_500)], "ask_again", "face_unsure"),
        ([Evidence(0.55, 1, 22_500)], "no_match", "face_other_person"),
        ([Evidence(0.80, 1, 22_500)] * 3, "no_match", "face_other_person"),
        # a good near frame outweighs a poor far one, and the reverse
        ([Evidence(0.40, 1, 22_500), Evidence(0.50, 0.2, 5_000)], "match", "face_matched"),
        ([Evidence(0.40, 0.2, 5_000), Evidence(0.50, 1, 22_500)], "ask_again", "face_unsure"),
        # somebody else in one frame is not averaged away
        (
            [Evidence(0.10, 1, 22_500), Evidence(0.10, 1, 22_500), Evidence(0.70, 0.5, 22_500)],
            "ask_again",
            "face_unsure",
        ),
    ],
)
def test_decisions(frames: list[Evidence], verdict: str, reason: str) -> None:
    decision = decide(frames, LIMITS)
    assert (decision.verdict, decision.reason) == (verdict, reason)


@given(looks, st.data())
def test_a_smaller_distance_never_makes_it_worse(frames: list[Evidence], data: st.DataObject) -> None:
    if not frames:
        return
    place = data.draw(st.integers(0, len(frames) - 1))
    nearer = [*frames]
    nearer[place] = replace(frames[place], distance=frames[place].distance * data.draw(st.floats(0, 1)))
    assert RANK[decide(nearer, LIMITS).verdict] <= RANK[decide(frames, LIMITS).verdict]


@given(st.lists(counted, min_size=1, max_size=8))
def test_frames_that_agree_decide(frames: list[Evidence]) -> None:
    if all(frame.distance <= LIMITS.accept for frame in frames):
        assert decide(frames, LIMITS).verdict == "match"
    if all(frame.distance >= LIMITS.refuse for frame in frames):
        assert decide(frames, LIMITS).verdict == "no_match"
    same = [replace(frame, distance=frames[0].distance) for frame in frames]
    assert decide(same, LIMITS).verdict == decide(same[:1], LIMITS).verdict


@given(looks)
def test_the_summary_is_of_the_frames_that_count(frames: list[Evidence]) -> None:
    decision = decide(frames, LIMITS)
    assert decision.reason in REASONS
    weighed = [frame.distance for frame in frames if frame.weight > 0]
    assert decision.frames == len(weighed)
    if decision.distance is None:
        assert not weighed and decision.verdict == "ask_again"
    else:
        assert min(weighed) <= decision.distance <= max(weighed)
    if decision.verdict == "match":
        assert decision.distance is not None and decision.distance <= LIMITS.accept
        assert max(weighed) < LIMITS.refuse


@given(st.lists(counted, min_size=1, max_size=6), st.randoms())
def test_the_order_of_frames_matters_at_most_by_rounding(frames: list[Evidence], random: object) -> None:
    shuffled = sorted(frames, key=lambda _: random.random())  # type: ignore[attr-defined]
    first, second = decide(frames, LIMITS).distance, decide(shuffled, LIMITS).distance
    assert first is not None and second is not None and math.isclose(first, second, rel_tol=1e-12, abs_tol=1e-300)


@given(looks, st.floats(0.05, 1), st.floats(0, 0.5))
def test_a_stricter_threshold_never_admits_more(frames: list[Evidence], accept: float, more: float) -> None:
    loose, strict = Threshold(accept, accept + more), Threshold(accept / 2, accept + more)
    if decide(frames, loose).verdict != "match":
        assert decide(frames, strict).verdict != "match"


@pytest.mark.parametrize("name", ["distance", "quality", "area"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.1])
def test_a_number_that_cannot_be_is_an_error_not_a_match(name: str, value: float) -> None:
    good = Evidence(0.1, 1.0, 22_500.0)
    with pytest.raises(BadInput) as refusal:
        decide([good, replace(good, **{name: value})], LIMITS)
    assert refusal.value.code == "face_evidence_invalid"


def test_quality_is_at_most_one() -> None:
    with pytest.raises(BadInput):
        decide([Evidence(0.1, 1.5, 22_500)], LIMITS)


@pytest.mark.parametrize(
    ("accept", "refuse"), [(0, 0.5), (-1, 0.5), (0.6, 0.5), (math.nan, 0.5), (0.4, math.nan), (0.4, math.inf)]
)
def test_a_threshold_that_cannot_be_is_refused(accept: float, refuse: float) -> None:
    with pytest.raises(ValueError, match="threshold"):
        Threshold(accept, refuse)
