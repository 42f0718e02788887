"""Who enters, over every combination of what the room may know: nobody by face without consent, match and life."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.admission import BadgeFacts, decide_badge, decide_face
from edge.domain.facerules import FaceRules, face_rules, strictest
from edge.domain.reasons import REASONS
from edge.domain.search import SearchThreshold, Strangers, pick, suspect
from edge.errors import BadInput
from edge.exam.documents import FacePolicy

YES_NO = (True, False)


def test_nobody_enters_by_face_but_who_matches_and_lives() -> None:
    verdicts = [("match", "face_matched"), ("no_match", "face_other_person"), ("ask_again", "face_unsure")]
    for (verdict, reason), tries, live, weak in itertools.product(
        verdicts, YES_NO, (None, "live", "unsure", "spoof"), YES_NO
    ):
        decision = decide_face(verdict, reason, tries, live, weak)  # type: ignore[arg-type]
        assert (decision.outcome == "admitted") == (verdict == "match" and live in (None, "live"))
        assert decision.outcome != "retry" or tries
        assert (decision.reason == "liveness_spoof") == (live == "spoof")
        assert not weak or decision.outcome != "refused"
        assert decision.reason in REASONS


def test_a_look_needs_consent_a_template_and_all_that_policy_asks_for() -> None:
    for consent, template, minor, ready, live, weak, strength in itertools.product(
        (True, False, None), YES_NO, YES_NO, YES_NO, YES_NO, YES_NO, ("uid", "data", "signed")
    ):
        facts = BadgeFacts(
            True,
            "expected",
            consent=consent,
            has_template=template,
            minor=minor,
            face_ready=ready,
            liveness_ready=live,
            weak_matters=weak,
            strength=strength,  # type: ignore[arg-type]
        )
        decision = decide_badge(facts)
        looks = consent is True and template and not minor and ready and live
        assert (decision.outcome == "look") == looks
        if decision.outcome != "look":
            assert decision.outcome == ("consent" if decision.reason == "consent_wanted" else "waiting")
        if weak and strength == "uid" and decision.outcome == "waiting":
            assert decision.route == "manual"  # the badge alone is never the reason to let them in
        assert decision.reason in REASONS


def test_a_policy_is_read_as_it_was_checked() -> None:
    assert face_rules({}) == face_rules({"face": FacePolicy().model_dump()}) == FaceRules()
    wanted = FacePolicy(liveness="both", search=True, duplicates=True, weak_badge="face-or-proctor", curtain=True)
    assert face_rules({"face": wanted.model_dump()}) == FaceRules("both", True, True, "face-or-proctor", True)


@pytest.mark.parametrize(
    ("asked", "both"),
    [
        ([], "off"),
        (["off", "passive"], "passive"),
        (["active", "off"], "active"),
        (["active", "passive"], "both"),
        (["both", "off"], "both"),
    ],
)
def test_of_several_sessions_the_strictest_rules_hold(asked: list[str], both: str) -> None:
    assert strictest([FaceRules(one) for one in asked]).liveness == both  # type: ignore[arg-type]


DISTANCES = st.floats(0, 2)
SEARCH = SearchThreshold(0.4, 0.1, 6, 0.01, Strangers(0.84, 24))


@given(people=st.lists(st.tuples(DISTANCES, DISTANCES).map(sorted), max_size=8))
def test_whoever_is_found_is_near_and_alone(people: list[list[float]]) -> None:
    means, farthest = [one[0] for one in people], [one[1] for one in people]
    found = pick(means, farthest, SEARCH, 0.55)
    assert found.reason in REASONS
    if found.place is not None:
        assert len(people) <= 6 and means[found.place] <= 0.4 and farthest[found.place] < 0.55
        others = [mean for place, mean in enumerate(means) if place != found.place]
        assert all(mean >= max(0.4, means[found.place] + 0.1) for mean in others)


@pytest.mark.parametrize(
    "wrong",
    [(0.0, 0.1, 5, 0.01), (0.4, -0.1, 5, 0.01), (0.4, 0.1, 0, 0.01), (float("nan"), 0.1, 5, 0.01), (0.4, 0.1, 5, 0.0)],
)
def test_limits_that_make_no_sense_are_refused(wrong: tuple[float, float, int, float]) -> None:
    with pytest.raises(ValueError):
        SearchThreshold(*wrong, Strangers(0.84, 24))
    with pytest.raises(BadInput):
        pick([0.1, 0.2], [0.1], SEARCH, 0.55)
    with pytest.raises(BadInput):
        suspect([0.1, 0.2], [0.1], SEARCH, 0.55)
    for mean, dimensions in ((0.0, 24), (float("inf"), 24), (0.84, 1)):
        with pytest.raises(ValueError):
            Strangers(mean, dimensions)


@pytest.mark.parametrize(
    ("dimensions", "at", "share"), [(2, 1.0, 0.393469340287), (4, 1.0, 0.090204010431), (24, 4.0, 0.111924)]
)
def test_the_share_of_strangers_within_a_distance(dimensions: int, at: float, share: float) -> None:
    """Against the chi distribution by hand: with 2k dimensions its tail is that of a Poisson count."""
    strangers = Strangers(1.0, dimensions)
    assert strangers.share_within(at * strangers.scale) == pytest.approx(share, rel=1e-4)
    assert strangers.share_within(0) == 0 and strangers.share_within(9) == pytest.approx(1)


@pytest.mark.parametrize("dimensions", [7, 24, 73])
def test_the_distance_follows_the_size_and_keeps_the_rate(dimensions: int) -> None:
    limits = SearchThreshold(0.4, 0.1, 100_000, 0.003, Strangers(0.84, dimensions))
    before = 0.4
    for people in (1, 2, 30, 200, 2000, 20_000):
        within = limits.within(people)
        assert 0 < within <= before, "never looser for more"
        chance = 1 - (1 - limits.strangers.share_within(within)) ** people
        assert chance <= 0.003 * (1 + 1e-6)
        assert within == 0.4 or chance >= 0.003 * (1 - 1e-6), "no stricter than it has to be"
        before = within
    wide = SearchThreshold(0.4, 0.1, 5000, 0.003, Strangers(0.84, 24))
    means = [0.9] * 1999
    assert pick([0.38, *means[:29]], [0.38] * 30, wide, 0.55).reason == "face_found"
    assert pick([0.38, *means], [0.38] * 2000, wide, 0.55).reason == "search_none"
    assert suspect([0.38, *means[:29]], [0.38] * 30, wide, 0.55) == 0
    assert suspect([0.38, *means], [0.38] * 2000, wide, 0.55) is None
    assert suspect([], [], wide, 0.55) is None and suspect([0.3], [0.56], wide, 0.55) is None
