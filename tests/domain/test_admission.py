"""Who enters, over every combination of what the room may know: nobody by face without consent, match and life."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.admission import BadgeFacts, decide_badge, decide_face
from edge.domain.facerules import FaceRules, face_rules, strictest
from edge.domain.reasons import REASONS
from edge.domain.search import SearchThreshold, pick
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


@given(people=st.lists(st.tuples(DISTANCES, DISTANCES).map(sorted), max_size=8))
def test_whoever_is_found_is_near_and_alone(people: list[list[float]]) -> None:
    means, farthest = [one[0] for one in people], [one[1] for one in people]
    found = pick(means, farthest, SearchThreshold(0.4, 0.1, 6), 0.55)
    assert found.reason in REASONS
    if found.place is not None:
        assert len(people) <= 6 and means[found.place] <= 0.4 and farthest[found.place] < 0.55
        others = [mean for place, mean in enumerate(means) if place != found.place]
        assert all(mean >= max(0.4, means[found.place] + 0.1) for mean in others)


@pytest.mark.parametrize("wrong", [(0.0, 0.1, 5), (0.4, -0.1, 5), (0.4, 0.1, 0), (float("nan"), 0.1, 5)])
def test_limits_that_make_no_sense_are_refused(wrong: tuple[float, float, int]) -> None:
    with pytest.raises(ValueError):
        SearchThreshold(*wrong)
    with pytest.raises(BadInput):
        pick([0.1, 0.2], [0.1], SearchThreshold(0.4, 0.1, 5), 0.55)
