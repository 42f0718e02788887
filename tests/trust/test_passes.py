"""Passes: what counts where and when, and a sentence of its own for each that does not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain import base45
from edge.domain.canonical import canonical
from edge.domain.reasons import REASONS
from edge.errors import BadInput, ExamroomError
from edge.trust import dsse
from edge.trust.pass_options import _drawn
from edge.trust.passes import LONGEST_MS, MARK, check, issue, need_good, text_in
from edge.trust.signer import Ed25519Signer
from support.examples import fuzzed

ROOT, OTHER = Ed25519Signer.generate(), Ed25519Signer.generate()
NOW = 1_800_000_000_000
HOUR = 3_600_000
TERMS: dict[str, Any] = {
    "name": "李检查",
    "rooms": ["room-2", "room-1"],
    "from_ms": NOW - 9 * HOUR,
    "until_ms": NOW,
    "not_before_ms": NOW,
    "expires_ms": NOW + HOUR,
    "export": False,
}
PASS, TEXT = issue(ROOT, **TERMS)


def code_of(error: pytest.ExceptionInfo[ExamroomError]) -> str:
    assert error.value.code in REASONS
    return error.value.code


def test_a_pass_counts_in_its_rooms_while_it_lasts() -> None:
    found = check(TEXT, [OTHER.public, ROOT.public])
    assert found == PASS
    assert (found.rooms, found.by) == (["room-1", "room-2"], f"pass:{found.id}")
    for now in (NOW, NOW + HOUR - 1):
        need_good(found, (), "room-2", now)
    assert len(TEXT) < 600, "small enough for a code that a hand scanner reads"
    assert text_in(_drawn(TEXT).decode()) == text_in(f"\r\n {TEXT}\r\n") == TEXT
    assert issue(ROOT, **TERMS)[0].id != PASS.id


@pytest.mark.parametrize(
    ("code", "revoked", "room", "now"),
    [
        ("pass_revoked", (PASS.id,), "room-1", NOW),
        ("pass_early", (), "room-1", NOW - 1),
        ("pass_expired", (), "room-1", NOW + HOUR),
        ("pass_other_room", (), "room-3", NOW),
        ("pass_other_room", (), "room-", NOW),
    ],
)
def test_each_that_does_not_count_has_its_own_word(code: str, revoked: tuple[str, ...], room: str, now: int) -> None:
    with pytest.raises(ExamroomError) as error:
        need_good(PASS, revoked, room, now)
    assert code_of(error) == code


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "a\nb"},
        {"name": "\ud800"},
        {"rooms": []},
        {"rooms": ["no room"]},
        {"rooms": [f"r{n}" for n in range(101)]},
        {"until_ms": NOW - 9 * HOUR},
        {"expires_ms": NOW},
        {"expires_ms": NOW + LONGEST_MS + 1},
        {"from_ms": -1},
    ],
)
def test_terms_that_cannot_be_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as error:
        issue(ROOT, **(TERMS | change))
    assert code_of(error) == "pass_terms"


def signed(raw: bytes) -> str:
    signature = ROOT.sign(dsse.pre_authentication(dsse.PREFIX + "pass+json", raw))
    return MARK + base45.encode(bytes.fromhex(ROOT.key_id) + signature + raw)


def test_even_the_root_signs_nothing_that_is_no_pass() -> None:
    facts = PASS.model_dump()
    assert check(signed(canonical(facts)), [ROOT.public]) == PASS
    wrong = (
        canonical(facts | {"expires_ms": NOW + LONGEST_MS + 1}),
        canonical(facts | {"more": 1}),
        canonical({k: v for k, v in facts.items() if k != "export"}),
        canonical(facts) + b" ",
        b"[]",
        b"NaN",
        b"[" * 5000,
    )
    for raw in wrong:
        with pytest.raises(BadInput) as error:
            check(signed(raw), [ROOT.public])
        assert code_of(error) == "pass_broken"
    with pytest.raises(ExamroomError) as error:
        check(issue(OTHER, **TERMS)[1], [ROOT.public])
    assert code_of(error) == "pass_key"


@fuzzed
@given(st.integers(0, len(TEXT) - 1), st.characters(codec="utf-8"), st.booleans())
def test_an_altered_pass_lets_nobody_in(at: int, by: str, cut: bool) -> None:
    altered = TEXT[:at] + ("" if cut else by) + TEXT[at + 1 :]
    if altered != TEXT:
        with pytest.raises(ExamroomError) as error:
            check(altered, [ROOT.public])
        assert code_of(error).startswith("pass_")
