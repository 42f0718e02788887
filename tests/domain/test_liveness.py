from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain import liveness
from edge.domain.liveness import Challenge, ChallengeLimits, LiveThreshold, Observation, begin, passive, watch
from edge.domain.reasons import REASONS
from edge.errors import BadInput

LIMITS = LiveThreshold(live=0.7, spoof=0.4)
MOVED = ChallengeLimits(rest=12, turn=22, nearer=1.25)


@pytest.mark.parametrize(
    ("scores", "verdict", "reason"),
    [
        ([], "unsure", "liveness_unsure"),
        ([1.0, 1.0], "unsure", "liveness_unsure"),
        ([1.0, 0.9, 0.2], "live", "liveness_passed"),
        ([0.7, 0.7, 0.7], "live", "liveness_passed"),
        ([0.5, 0.6, 0.5], "unsure", "liveness_unsure"),
        ([1.0, 0.1, 0.0], "spoof", "liveness_spoof"),
        ([0.0] * 9, "spoof", "liveness_spoof"),
    ],
)
def test_frames_are_judged_together(scores: list[float], verdict: str, reason: str) -> None:
    found = passive(scores, LIMITS)
    assert (found.verdict, found.reason, found.frames) == (verdict, reason, len(scores))


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_score_that_cannot_be_is_an_error(score: float) -> None:
    with pytest.raises(BadInput):
        passive([1.0, 1.0, score], LIMITS)


def test_a_higher_score_never_makes_it_worse() -> None:
    order = ["spoof", "unsure", "live"]
    values = [order.index(passive([score / 20] * 3, LIMITS).verdict) for score in range(21)]
    assert values == sorted(values) and set(values) == {0, 1, 2}


def face(at_ms: int, yaw: float = 0.0, width: float = 100.0, x: float = 300.0) -> Observation:
    return Observation(at_ms, True, yaw, x, 200.0, width)


def challenge(*asked: liveness.Movement) -> Challenge:
    return Challenge(tuple(asked), 0, MOVED)


def run(state: Challenge, *frames: tuple[float, float], start: int = 200, step: int = 200) -> Challenge:
    """Frames of (yaw, width), five a second."""
    for number, (yaw, width) in enumerate(frames):
        state = watch(state, face(start + number * step, yaw, width))
    return state


STRAIGHT = [(0.0, 100.0)] * 2
LEFT, RIGHT = [(10.0, 100.0), (26.0, 100.0), (28.0, 100.0)], [(-10.0, 100.0), (-26.0, 100.0), (-28.0, 100.0)]
NEARER = [(0.0, 112.0), (0.0, 128.0), (0.0, 130.0)]
MADE = {"left": LEFT, "right": RIGHT, "nearer": NEARER}


@pytest.mark.parametrize(
    "asked", [*itertools.permutations(("left", "right", "nearer")), ("left",), ("right", "nearer")]
)
def test_the_movements_in_their_order_pass(asked: tuple[liveness.Movement, ...]) -> None:
    state, at = challenge(*asked), 200
    for number, movement in enumerate(asked):
        assert state.reason == "liveness_straight" and state.status == "asking"
        state = run(state, *STRAIGHT, start=at)
        assert state.reason == f"liveness_{movement}" and state.done == number
        state = run(state, *MADE[movement], start=at + 400)
        at += 1000
    assert (state.status, state.reason, state.done) == ("passed", "liveness_passed", len(asked))
    assert watch(state, face(at, 50)) is state, "what has ended stays"


@pytest.mark.parametrize("movement", ["left", "right", "nearer"])
def test_a_still_picture_passes_nothing(movement: liveness.Movement) -> None:
    state = run(challenge(movement), *[(0.0, 100.0)] * 60)
    assert (state.status, state.reason) == ("failed", "liveness_too_slow")


def test_the_other_direction_fails_and_a_single_frame_is_no_turn() -> None:
    state = run(challenge("left"), *STRAIGHT)
    assert run(state, *RIGHT, start=600).reason == "liveness_wrong_way"
    once = run(state, (26, 100), (0, 100), (26, 100), (0, 100), start=600)
    assert once.status == "asking" and once.done == 0


@pytest.mark.parametrize(
    ("limits", "passes"), [((12, 22, 1.25), True), ((12, 27, 1.25), False), ((12, 22, 1.29), False)]
)
def test_a_packs_own_limits_are_what_counts(limits: tuple[float, float, float], passes: bool) -> None:
    frames = [*STRAIGHT, *NEARER, *STRAIGHT, (24.0, 100.0), (26.0, 100.0)]
    state = run(Challenge(("nearer", "left"), 0, ChallengeLimits(*limits)), *frames)
    assert (state.status == "passed") is passes
    straight = run(Challenge(("left",), 0, ChallengeLimits(5, 22, 1.25)), *[(8.0, 100.0)] * 4)
    assert straight.resting, "8 degrees are no rest where 5 are the limit"


@pytest.mark.parametrize(
    "wrong",
    [(0, 22, 1.25), (22, 22, 1.25), (12, 90, 1.25), (12, 22, 1), (float("nan"), 22, 1.25), (12, 22, float("inf"))],
)
def test_limits_that_ask_for_nothing_or_too_much_are_an_error(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="rest < turn"):
        ChallengeLimits(*wrong)


def test_a_turn_before_it_is_asked_for_counts_nothing() -> None:
    state = run(challenge("left"), *[(26.0, 100.0)] * 4)
    assert state.status == "asking" and state.done == 0 and state.resting


@pytest.mark.parametrize(
    "then",
    [
        face(800, 0, x=420.0),  # beside the place it had
        face(800, 0, width=180.0),  # another size at once
        face(2000, 0),  # after a second unseen
    ],
)
def test_another_face_or_a_gap_fails(then: Observation) -> None:
    state = run(challenge("left"), *STRAIGHT, (0, 100))
    ended = watch(state, then)
    assert (ended.status, ended.reason) == ("failed", "liveness_interrupted")


def test_a_moment_without_a_face_is_borne_and_a_second_is_not() -> None:
    state = run(challenge("left"), *STRAIGHT)
    state = watch(state, Observation(700, False))
    assert state.status == "asking"
    assert run(state, *LEFT, start=900).status == "passed"
    assert watch(state, Observation(1500, False)).reason == "liveness_interrupted"
    nobody = challenge("left")
    for at in range(0, 7000, 500):
        nobody = watch(nobody, Observation(at, False))
    assert nobody.reason == "liveness_too_slow"


def test_every_challenge_has_a_turn_and_no_movement_twice() -> None:
    seen = set()
    for movements in (1, 2, 3):
        for picks in itertools.product(range(3), repeat=4):
            left = iter(picks)
            made = begin(0, lambda n, left=left: next(left) % n, MOVED, movements)
            assert made.limits is MOVED
            assert len(made.asked) == len(set(made.asked)) == movements
            assert {"left", "right"} & set(made.asked)
            seen.add(made.asked)
    assert len(seen) == 2 + 6 + 6
    for wrong in (0, 4):
        with pytest.raises(ValueError, match="one to three"):
            begin(0, lambda n: 0, MOVED, wrong)


def test_numbers_that_cannot_be_are_an_error() -> None:
    state = run(challenge("left"), *STRAIGHT)
    for wrong in (face(100), face(700, float("nan")), face(700, width=-1.0), face(700, x=float("inf"))):
        with pytest.raises(BadInput):
            watch(state, wrong)


@given(st.lists(st.tuples(st.integers(0, 800), st.floats(-90, 90), st.floats(1, 400), st.booleans()), max_size=60))
def test_any_observations_end_or_go_on_with_a_sentence(frames: list[tuple[int, float, float, bool]]) -> None:
    state, at = challenge("left", "nearer"), 0
    for gap, yaw, width, seen in frames:
        at += gap
        state = watch(state, face(at, yaw, width) if seen else Observation(at, False))
        assert state.reason in REASONS and 0 <= state.done <= 2
        assert (state.status == "passed") == (state.done == 2)
