"""The sample bank is what it says, and a wrong bank is refused whole."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bank.build import content_of, read_folder, sample_bank
from edge.bank.lint import lint, near_duplicates
from edge.bank.model import CaseItem, ItemBase, parse_bank
from edge.errors import BadInput

BANK = sample_bank()
ARTICLE = r"第[一二三四五六七八九十百]+条"
PARAGRAPH = r"第\d+\.\d+\.\d+条"
STANDARD = re.compile(r"(GB|GBZ|JGJ|CJJ)(/T)? \d+-(\d{4})")
REPLACED = {"JGJ 46-2005", "GB 2894-2008", "GB 5144-2006", "GB 2811-2007", "GB 6095-2009", "JGJ 80-91"}
ALIKE = 0.6
"""Two stems with so large a part in common ask the same, whatever their options."""


def questions() -> Iterator[ItemBase]:
    """Every item, and every question of a case."""
    for item in BANK.items:
        yield item
        if isinstance(item, CaseItem):
            yield from item.items


def like(one: str, other: str, limit: float) -> bool:
    """Whether the larger part of two stems is the same; most pairs are told apart by the signs they have."""
    match = SequenceMatcher(None, one, other, autojunk=False)
    return match.real_quick_ratio() >= limit and match.quick_ratio() >= limit and match.ratio() >= limit


def bare(stem: str) -> str:
    return re.sub(r"[\W_]", "", stem)


def test_the_sample_is_large_enough_marked_and_clean() -> None:
    assert len(BANK.items) >= 120
    assert BANK.sample and all(item.sample for item in BANK.items)
    assert "不得用于考试" in BANK.title.zh and "not for exams" in BANK.title.en
    kinds = Counter(item.type for item in BANK.items)
    least = {"fill": 4, "order": 3, "match": 3, "hotspot": 2, "case": 2, "judgement": 40, "single": 40, "multiple": 40}
    assert kinds.keys() == least.keys()
    assert all(kinds[kind] >= count for kind, count in least.items())
    assert lint(BANK) == []
    assert max(Counter(item.template for item in BANK.items).values()) <= 5
    assert near_duplicates(BANK.items, 0.5) == []


def test_every_item_names_its_standard_edition_and_clause() -> None:
    """A law's articles have Chinese numbers, a standard's paragraphs three; a chapter or a heading is no clause."""
    sources = [(item.id, item.source) for item in questions()]
    sources += [(step.id, step.source) for rubric in BANK.rubrics for step in rubric.steps if step.source]
    for name, source in sources:
        number = STANDARD.fullmatch(source.standard)
        form = PARAGRAPH if number else ARTICLE
        assert re.fullmatch(rf"{form}(、{form})*", source.clause), (name, source.clause)
        assert source.standard not in REPLACED and source.title, name
        assert source.edition == number[3] if number else re.match(r"\d{4}", source.edition), (name, source.edition)


def test_no_two_stems_ask_the_same() -> None:
    stems = [(item.id, bare(item.stem)) for item in questions()]
    found = [(a, b) for (a, one), (b, other) in combinations(stems, 2) if like(one, other, ALIKE)]
    assert found == []
    twins = "下面哪种活，必须取得特种作业操作资格证书才能干？", "下面哪些人要先取得特种作业操作资格证书，才能上岗？"
    assert like(*map(bare, twins), ALIKE), "whatever their options"


def test_keys_are_spread() -> None:
    singles = Counter(item.answer[0] for item in BANK.items if item.type == "single")
    assert max(singles.values()) < 2 * min(singles.values())


def test_what_is_sealed_reads_back_the_same() -> None:
    assert parse_bank(content_of(BANK)) == BANK


def document() -> dict[str, object]:
    loaded: dict[str, object] = json.loads(content_of(BANK))
    return loaded


@pytest.mark.parametrize(
    "change",
    [
        {"answer": ["Z"]},
        {"answer": []},
        {"answer": ["A", "B"], "type": "single"},
        {"answer": ["A"], "type": "multiple"},
        {"options": [{"key": "A", "text": "x"}]},
        {"options": [{"key": "A", "text": "x"}, {"key": "A", "text": "y"}]},
        {"options": [{"key": "A", "text": "x"}, {"key": "B", "text": "x"}]},
        {"stem": ""},
        {"points": 0},
        {"unknown": 1},
    ],
)
def test_a_wrong_item_is_refused_with_its_place(change: dict[str, object]) -> None:
    bank = document()
    items = bank["items"]
    assert isinstance(items, list)
    items[7] = items[7] | change
    with pytest.raises(BadInput) as refused:
        parse_bank(json.dumps(bank).encode())
    assert refused.value.code == "bank_broken"
    assert "items.7" in str(refused.value.facts["where"])


def test_an_item_twice_is_refused() -> None:
    bank = document()
    items = bank["items"]
    assert isinstance(items, list)
    items.append(items[0])
    with pytest.raises(BadInput):
        parse_bank(json.dumps(bank).encode())


@given(st.binary(max_size=200))
def test_bytes_that_are_no_bank(raw: bytes) -> None:
    with pytest.raises(BadInput):
        parse_bank(raw)


def test_near_twins_are_found() -> None:
    twin = BANK.items[0].model_copy(update={"id": "twin", "stem": BANK.items[0].stem + "了"})
    assert [f.items for f in near_duplicates([*BANK.items, twin])] == [(BANK.items[0].id, "twin")]


def test_a_folder_without_items(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        read_folder(tmp_path)
    (tmp_path / "items.json").write_text("[]")
    with pytest.raises(BadInput):
        read_folder(tmp_path)
