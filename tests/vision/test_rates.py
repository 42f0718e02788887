from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import BadInput
from edge.vision import rates
from edge.vision.pairs import Pair, Pairs, Pictures, person_folds, read_pairs

DIFFERENT = np.linspace(0.5, 1.5, 1000)


@pytest.mark.parametrize(
    ("far", "tar"),
    [
        (1e-2, 0.75),  # ten may pass: the limit is the eleventh, 0.51
        (1e-3, 0.5),  # one may pass: the limit is the second, 0.501
    ],
)
def test_tar_at_far_lets_just_so_many_pass(far: float, tar: float) -> None:
    same = np.array([0.3, 0.5009, 0.5095, 0.6])
    found, limit = rates.at_far(same, DIFFERENT, far)
    assert found == tar and limit is not None
    assert np.count_nonzero(limit > DIFFERENT) == far * len(DIFFERENT) and limit in DIFFERENT


def test_a_rate_that_the_pairs_cannot_show_is_not_invented() -> None:
    same = np.array([0.1, 0.2])
    assert rates.at_far(same, DIFFERENT[:999], 1e-3) == (None, None)
    assert rates.at_far(same, DIFFERENT[:100], 1e-2)[0] == 1
    assert rates.at_far(same, DIFFERENT[:99], 1e-2) == (None, None)
    assert rates.at_far(same[:0], DIFFERENT, 1e-2) == (None, None)
    assert rates.roc(same, DIFFERENT[:0]) == [] and rates.best_threshold(same, DIFFERENT[:0]) is None


@pytest.mark.parametrize(
    ("count", "of", "rate"),
    # of Clopper and Pearson's tables, and of the rule of three
    [(0, 10, 0.2589), (0, 3000, 0.000998), (1, 20, 0.2161), (5, 3000, 0.003501), (2999, 3000, 0.999983), (3, 3, 1.0)],
)
def test_what_a_finding_is_still_compatible_with(count: int, of: int, rate: float) -> None:
    assert rates.at_most(count, of) == pytest.approx(rate, rel=2e-3)
    assert rates.at_most(0, 0) is None


def test_the_curve_has_points_where_a_door_works() -> None:
    random = np.random.default_rng(1)
    curve = rates.roc(random.normal(0.4, 0.09, 3000), random.normal(0.83, 0.09, 3000))
    assert sum(0 < point["fmr"] <= 0.01 for point in curve) >= 15 and len(curve) <= 2 * rates.ROC_POINTS
    assert [point["fmr"] for point in curve] == sorted(point["fmr"] for point in curve)


few = st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]), min_size=1, max_size=8)


@given(few, few)
def test_the_best_threshold_is_the_best_of_all(same: list[float], different: list[float]) -> None:
    def right(limit: float) -> int:
        return sum(value <= limit for value in same) + sum(value > limit for value in different)

    limit = rates.best_threshold(np.array(same), np.array(different))
    assert limit is not None
    assert right(limit) == max(right(value) for value in (0.0, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65))


@given(few, few)
def test_the_curve_is_what_counting_gives(same: list[float], different: list[float]) -> None:
    curve = rates.roc(np.array(same), np.array(different))
    assert [point["threshold"] for point in curve] == sorted({*same, *different})
    for point in curve:
        limit = point["threshold"] + 1e-9
        assert point["fmr"] == pytest.approx(np.mean([value <= limit for value in different]))
        assert point["fnmr"] == pytest.approx(np.mean([value > limit for value in same]))


def test_a_pair_is_decided_without_its_own_people() -> None:
    """In fold 2 everything is farther: its own pairs, decided by the others' threshold, come out wrong."""
    distances = np.array([0.2, 0.8] * 3 + [1.2, 1.8])
    same = np.array([True, False] * 4)
    folds = [(0, 0)] * 2 + [(1, 1)] * 2 + [(2, 2)] * 2 + [(3, 3)] * 2
    right, decided, limits = rates.accuracy(distances, same, folds)
    assert right == 7 / 8 and decided == 8 and limits == pytest.approx([0.5, 0.5, 0.5, 0.5])
    assert rates.accuracy(distances[:2], same[:2], folds[:2]) == (None, 0, [])


def test_apcer_is_said_of_each_kind_and_never_as_one() -> None:
    scores = {"bonafide": [0.9, 0.7, 0.6, None], "print": [0.1, 0.8], "screen": [0.2, 0.3, None], "mask": [None]}
    found = rates.attack_rates(scores, 0.7, "bonafide")
    assert {kind: one["apcer"] for kind, one in found["attacks"].items()} == {"print": 0.5, "screen": 0, "mask": None}
    assert found["attacks"]["screen"]["no_face"] == 1 and found["attacks"]["screen"]["presentations"] == 3
    assert found["bpcer"] == pytest.approx(1 / 3) and found["apcer_worst"] == 0.5
    assert "accuracy" not in str(found)


def test_the_errors_with_people_are_given_at_usual_rates_of_attacks_that_pass() -> None:
    """Of twenty prints one may pass at 5 %: the threshold is just above the second best of them."""
    prints: list[float | None] = [n / 100 for n in range(0, 80, 4)]
    people: list[float | None] = [0.72, 0.73, 0.9, 1.0, None]
    scores = {"bonafide": people, "print": prints, "screen": [0.1] * 20}
    found = rates.attack_rates(scores, 0.7, "bonafide")["bpcer_at_apcer"]
    assert found["0.05"] == {"threshold": pytest.approx(0.72), "bpcer": 0.25} and found["0.01"] is None
    assert sum(score >= found["0.05"]["threshold"] for score in prints if score is not None) == 1
    assert found["0.1"]["bpcer"] == 0
    scores["mask"] = [0.9] * 9  # too few to show 10 %
    assert set(rates.attack_rates(scores, 0.7, "bonafide")["bpcer_at_apcer"].values()) == {None}


def write(folder: Path, text: str) -> Path:
    path = folder / "pairs.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_both_kinds_of_first_line_and_none_are_read(tmp_path: Path) -> None:
    body = "Ann\t1\t2\nBo Li\t3\tAnn\t4\n"
    wanted = [Pair(("Ann", 1), ("Ann", 2)), Pair(("Bo Li", 3), ("Ann", 4))]
    for header, folds, each in (
        ("1\t1\n", 1, 1),
        ("1\n", None, 1),
        ("", None, None),
        ("\ufeff10 300\r\n\r\n", 10, 300),
        ("10\t300\t\n", 10, 300),
    ):
        found = read_pairs(write(tmp_path, header + body.replace("\n", "\t\n") if "\t\n" in header else header + body))
        assert (found.pairs, found.folds, found.each) == (wanted, folds, each)
    assert [pair.same for pair in wanted] == [True, False]
    assert read_pairs(write(tmp_path, "Ann 1 2\nAnn 1 Bo 2")).pairs[1] == Pair(("Ann", 1), ("Bo", 2))


@pytest.mark.parametrize(
    "line",
    [
        "Ann 1",
        "Ann 1 2 3 4",
        "Ann 0 2",
        "Ann x 2",
        "Ann 1 Bo x",
        "../Ann 1 2",
        ".. 1 2",
        "Ann -1 2",
        "Ann 1\t\t2",
        "Ann 1 ٣",
    ],
)
def test_each_bad_line_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(BadInput) as refusal:
        read_pairs(write(tmp_path, f"10 300\nAnn 1 2\n{line}\nBo 1 2\n{line}\n"))
    assert refusal.value.code == "pairs_invalid"
    lines = str(refusal.value.facts["lines"]).split("\n")
    assert [part.partition(":")[0] for part in lines] == ["3", "5"]


def test_what_is_no_text_or_empty_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput) as refusal:
        read_pairs(path)
    assert refusal.value.code == "pairs_unreadable"
    with pytest.raises(BadInput):
        read_pairs(write(tmp_path, "10\t300\n\n"))
    with pytest.raises(BadInput, match="30 more lines"):
        read_pairs(write(tmp_path, "no\n" * 50))


def test_pictures_are_found_with_other_endings_and_fewer_zeros(tmp_path: Path) -> None:
    (tmp_path / "Ann").mkdir()
    for name in ("Ann_0001.JPG", "Ann_2.png", "Ann_0003.txt", "Ann_00012.jpeg"):
        (tmp_path / "Ann" / name).touch()
    pictures = Pictures(tmp_path)
    found = [pictures.find(("Ann", number)) for number in (1, 2, 3, 12, 4)]
    assert [path and path.name for path in found] == ["Ann_0001.JPG", "Ann_2.png", None, "Ann_00012.jpeg", None]
    assert pictures.find(("Nobody", 1)) is None


def test_pictures_are_found_without_folders_and_one_folder_further_in(tmp_path: Path) -> None:
    (tmp_path / "set" / "Ann_B-2").mkdir(parents=True)
    (tmp_path / "__MACOSX").mkdir()
    for name in ("Ann_B-2/Ann_B-2_0001.jpg", "Ann_B-2/3.pgm", "Bo_0010.png", "7.png"):
        (tmp_path / "set" / name).touch()
    for folder in (tmp_path / "set", tmp_path):
        pictures = Pictures(folder)
        found = [pictures.find(image) for image in (("Ann_B-2", 1), ("Ann_B-2", 3), ("Bo", 10), ("Bo", 7))]
        assert [path and path.name for path in found] == ["Ann_B-2_0001.jpg", "3.pgm", "Bo_0010.png", None]
    assert Pictures(tmp_path / "nowhere").find(("Bo", 10)) is None


def pair(first: str, second: str) -> Pair:
    return Pair((first, 1), (second, 2))


def test_the_file_s_folds_are_taken_where_they_share_no_person() -> None:
    pairs = [pair("a", "a"), pair("a", "b"), pair("c", "c"), pair("c", "d")]
    assert person_folds(Pairs(pairs, 2, 1)) == ({"a": 0, "b": 0, "c": 1, "d": 1}, True)
    for other in (Pairs(pairs, 2, 2), Pairs(pairs, None, 2), Pairs([*pairs[:3], pair("c", "a")], 2, 1)):
        assert person_folds(other)[1] is False


def test_folds_of_our_own_keep_people_who_meet_together() -> None:
    groups = [[f"g{group}-{one}" for one in range(3)] for group in range(12)]
    pairs = [pair(one, two) for group in groups for one, two in itertools.combinations(group, 2)]
    folds, given = person_folds(Pairs(pairs, None, None))
    assert not given and set(folds.values()) == set(range(10))
    assert all(len({folds[name] for name in group}) == 1 for group in groups)
    everybody = [name for group in groups for name in group]
    mixed, _ = person_folds(Pairs([pair(one, two) for one, two in itertools.combinations(everybody, 2)], 10, 300))
    sizes = np.bincount(list(mixed.values()))
    assert len(sizes) == 10 and sizes.max() - sizes.min() <= 1
