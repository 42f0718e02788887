"""The `.seb` file: it reads back as what was meant, and its Config Key is that of what it holds."""

from __future__ import annotations

import gzip
import plistlib
from typing import Any

import pytest

from edge.domain import seb
from edge.errors import BadInput
from edge.exam import seb as room_seb
from edge.exam.documents import parse_policy

BASE = "https://192.168.7.2"
CA = b"0\x82authority"
PASS = '"pass": {"safety": 60, "theory": 60, "practical": 60}'


def read_back(file: bytes) -> dict[str, Any]:
    inner = gzip.decompress(file)
    assert inner[:4] == b"plnd"
    found: dict[str, Any] = plistlib.loads(gzip.decompress(inner[4:]), fmt=plistlib.FMT_XML)
    return found


def test_it_reads_back_and_its_key_is_the_one_the_room_expects() -> None:
    chosen = room_seb.settings(BASE, CA, "ab" * 32)
    back = read_back(room_seb.seb_file(chosen))
    assert back == chosen
    assert seb.config_key(back) == room_seb.own_key(BASE, CA, "ab" * 32)
    assert room_seb.seb_file(chosen) == room_seb.seb_file(room_seb.settings(BASE, CA, "ab" * 32))


def test_it_leads_to_this_room_and_nowhere_else() -> None:
    back = read_back(room_seb.seb_file(room_seb.settings(BASE, CA, "cd" * 32)))
    assert back["startURL"] == f"{BASE}/exam/"
    assert back["quitURL"].startswith(BASE)
    assert back["hashedQuitPassword"] == "cd" * 32
    assert back["URLFilterEnable"] is True
    assert [(rule["action"], rule["expression"]) for rule in back["URLFilterRules"]] == [(1, "192.168.7.2/*")]
    assert back["embeddedCertificates"] == [{"certificateData": CA, "name": "Exam room CA", "type": 2}]
    assert back["sendBrowserExamKey"] is True
    for closed in ("allowSpellCheck", "allowPrint", "allowDictionaryLookup", "allowScreenSharing", "enableRightMouse"):
        assert back[closed] is False
    # answers that are kept on the tablet must outlive the browser
    for kept in ("examSessionClearCookiesOnEnd", "removeBrowserProfile", "removeLocalStorage"):
        assert back[kept] is False


@pytest.mark.parametrize(
    "other", [(BASE + "0", CA, ""), (BASE, b"another", ""), (BASE, CA, "ef" * 32), (BASE, None, "")]
)
def test_another_room_authority_or_password_is_another_key(other: tuple[str, bytes | None, str]) -> None:
    assert room_seb.own_key(*other) != room_seb.own_key(BASE, CA, "")


@pytest.mark.parametrize(
    ("rules", "asked"),
    [
        ("", False),
        (', "lockdown": "none"', False),
        (', "seb": {"required": false}', False),
        (', "lockdown": "seb"', True),
        (', "seb": {"required": true}', True),
    ],
)
def test_what_a_policy_asks_for(rules: str, asked: bool) -> None:
    policy = parse_policy(("{" + PASS + rules + "}").encode()).model_dump(by_alias=True)
    assert room_seb.demanded(policy) is asked


def test_a_policy_from_before_asks_for_nothing() -> None:
    assert not room_seb.demanded({"pass": {}})
    assert room_seb.quit_hash({"pass": {}}) == ""


@pytest.mark.parametrize(
    "rules",
    [
        '"lockdown": "none", "seb": {"required": true}',
        '"lockdown": "full"',
        '"seb": {"config_keys": ["short"]}',
        '"seb": {"quit_password": "secret"}',
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(rules: str) -> None:
    with pytest.raises(BadInput) as error:
        parse_policy(("{" + PASS + ", " + rules + "}").encode())
    assert error.value.code == "policy_broken"
