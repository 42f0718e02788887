"""What is not a candidate's to read or to do: other papers, the key, pages and acts of staff; forged headers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import requests

from bench.hostile import DOCUMENT, MARK, OTHERS, TIMEOUT, Yard, items_of, yard
from edge.bank.build import sample_bank
from edge.exam.papers import shown_name
from support.serving import EXAMINER, PROCTOR, SUPERVISOR, TECHNICIAN
from support.tries import (
    fresh,
    get,
    post,
    refused,
    seat_tile,
    staff,
)

CODES_ODD = ("examroom_staff", "examroom_tablet", "examroom_kiosk")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    with yard(tmp_path_factory.mktemp("dishonest"), size=9) as made:
        yield made


# ---- what is not theirs to read


def test_anothers_paper_and_pictures(place: Yard) -> None:
    other = place.papers[0]
    paper = fresh(place, place.attacker)
    for query in (f"attempt={other['attempt']}", f"tablet={other['tablet']}", f"seat={other['candidate']['seat']}"):
        told = get(place, place.attacker, f"/exam/api/paper?{query}", **{"X-Attempt": other["attempt"]})
        assert told.json()["attempt"] == paper["attempt"]
        assert MARK not in told.text
    own = {item.get("image") for item in items_of(paper)} | {m["name"] for i in items_of(paper) for m in i["media"]}
    own |= {option["image"] for item in items_of(paper) for option in item["options"]}
    hidden = {shown_name(file) for file in sample_bank().media.values()} - own
    assert hidden, "the bank has pictures that are not on this paper"
    for name in (*hidden, "..", "bank-1.bundle", "items.json", "%2e%2e%2froom.db"):
        told = get(place, place.attacker, f"/exam/api/media/{name}")
        assert told.status_code == 404
        if name != "..":
            refused(told, 404, told.json()["error"], "没有这个")


KEY_PATHS = (
    "/bundles/bank-1.bundle",
    "/exam/bundles/bank-1.bundle",
    "/exam/static/../../../bank/sample/items.json",
    "/exam/static/%2e%2e/%2e%2e/%2e%2e/bank/sample/items.json",
    "/exam/static/items.json",
    "/exam/static/js/",
    "/exam/static/js/view.js.map",
    "/exam/static/js/main.js.map",
    "/ui/static/bank/sample/items.json",
    "/state/room.db",
    "/exam/api/key",
    "/exam/api/paper/key",
    "/exam/api/answers",
    "/.git/config",
    "/openapi.yaml",
    "/exam/openapi.yaml",
    "/console/static/../api.py",
)


@pytest.mark.parametrize("path", KEY_PATHS)
def test_the_answer_key_by_an_address_that_might_have_it(place: Yard, path: str) -> None:
    raw = requests.Request("GET", place.base + path, cookies=place.attacker.cookies)
    prepared = place.attacker.prepare_request(raw)
    prepared.url = place.base + path  # as typed, with its dots
    told = place.attacker.send(prepared, timeout=TIMEOUT, allow_redirects=False)
    assert told.status_code in (404, 405), told.text[:200]
    assert "没有这个页面" in told.text or "不接受这种请求" in told.text


def test_no_static_file_holds_a_question_or_a_key(place: Yard) -> None:
    """Every file that a browser may ask for without signing in, as it is sent."""
    bank = sample_bank()
    stems = [item.stem.encode() for item in bank.items]
    folder = Path(str(resources.files("edge")))
    sent = 0
    for file in (*folder.glob("web/*/static/**/*"), *folder.glob("ui/static/**/*")):
        if not file.is_file():
            continue
        parts = file.relative_to(folder).parts
        address = "/ui/static/" if parts[0] == "ui" else f"/{parts[1]}/static/"
        told = get(place, requests.Session(), address + "/".join(parts[parts.index("static") + 1 :]))
        assert told.status_code == 200, address
        assert not any(stem in told.content for stem in stems), file
        assert b"sourceMappingURL" not in told.content
        sent += 1
    assert sent > 20


def test_the_paper_says_of_no_option_that_it_is_right(place: Yard) -> None:
    """Each option and blank has the same fields as every other of its kind, so none stands out."""
    for paper in (place.paper, *place.papers):
        for item in items_of(paper):
            assert len({tuple(sorted(option)) for option in item["options"]}) <= 1
            assert not {"answer", "key", "accepted", "tolerance", "region", "source", "exposure"} & set(item)


# ---- pages of staff

STAFF_PAGES = (
    "/console/",
    "/console/S-1",
    "/console/S-1/forms/sign-in",
    "/scoring/",
    "/scoring/S-1",
    "/spotcheck/",
    "/spotcheck/S-1",
    "/staff/",
    "/kiosk/pair",
    "/spotcheck/S-1/clip/door",
    "/spotcheck/S-1/media/door-00000000-000001",
)


@pytest.mark.parametrize("path", STAFF_PAGES)
def test_a_page_of_staff_leads_a_candidate_to_the_sign_in(place: Yard, path: str) -> None:
    secret = place.attacker.cookies["examroom_tablet"]
    cookies = ("", f"examroom_tablet={secret}", "; ".join(f"{name}={secret}" for name in CODES_ODD))
    for cookie in cookies:
        told = get(place, requests.Session(), path, Cookie=cookie)
        assert told.status_code == 302
        assert told.headers["Location"].startswith("/staff/login?next=")
        assert MARK not in told.text


def test_no_operation_of_staff_answers_a_candidate(place: Yard) -> None:
    """Every one of the document's, as nobody and with a candidate's cookie under each name."""
    secret, token = place.attacker.cookies["examroom_tablet"], place.token(place.attacker)
    tried = 0
    for path, item in DOCUMENT["paths"].items():
        for method in ("get", "post"):
            operation = item.get(method)
            if operation is None or not any("staff" in one for one in operation.get("security", ())):
                continue
            address = place.base + path.replace("{session}", place.session).replace("{act}", "close")
            address = re.sub(r"{\w+}", "1", address)
            for cookie in ("", f"examroom_tablet={secret}", "; ".join(f"{name}={secret}" for name in CODES_ODD)):
                told = requests.request(
                    method, address, json={"reason": "试试"}, timeout=TIMEOUT, allow_redirects=False,
                    headers={"Cookie": cookie, "X-CSRF": token, "Accept": "application/json"},
                )  # fmt: skip
                tried += 1
                if method == "get" and "/api/" not in path:
                    assert told.headers["Location"].startswith("/staff/login"), path
                elif path == "/staff/logout":
                    assert told.status_code in (302, 403)
                else:
                    refused(told, 401, "not_signed_in", "请先用工牌和 PIN 登录")
    assert tried >= 60
    assert seat_tile(place, place.papers[0]["candidate"]["seat"])["state"] == "working", "nobody closed the exam"


def test_changes_of_staff_need_the_pages_own_token(place: Yard) -> None:
    proctor, token = staff(place)
    act = f"/console/api/{place.session}/pause"
    for wrong in (None, "", place.token(place.attacker), token[::-1], token.upper()):
        if wrong != token:
            refused(post(place, proctor, act, {"reason": "试试"}, wrong), 403, "csrf_wrong", "页面已过期")
    form = {"badge": PROCTOR.badge, "pin": PROCTOR.pin, "next": ""}
    for origin in ("https://other.example", "null", f"{place.base}.other.example"):
        told = requests.post(
            f"{place.base}/staff/login", data=form, timeout=TIMEOUT, allow_redirects=False,
            headers={"Origin": origin, "Accept": "application/json"},
        )  # fmt: skip
        refused(told, 403, "csrf_wrong", "页面已过期")
    assert get(place, place.attacker, "/exam/api/clock").json()["s"] == "running"


@pytest.mark.parametrize("who", [*OTHERS[:2], EXAMINER, SUPERVISOR, TECHNICIAN], ids=lambda who: who.id)
def test_staff_do_not_do_what_is_anothers_to_do(place: Yard, who: Any) -> None:
    http, token = staff(place, who)
    for act in ("close", "pause", "add-time", "release-tablet", "sign", "start"):
        told = post(place, http, f"/console/api/{place.session}/{act}", {"reason": "试试"}, token)
        assert told.json()["error"] in ("role_wrong", "session_not_yours")
        refused(told, 403, told.json()["error"], "您")
    if who in OTHERS[:2]:
        told = get(place, http, f"/console/api/{place.session}/board")
        assert told.status_code == 403
        assert place.codes[1] not in told.text
    assert get(place, place.attacker, "/exam/api/clock").json()["s"] == "running"


# ---- headers


def test_a_host_of_ones_own_leads_nowhere_else(place: Yard) -> None:
    evil = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    for path in ("/", "/exam/", "/exam", "/staff/", "/console/", "/staff/login?next=//evil.example/"):
        told = get(place, requests.Session(), path, **evil)
        location = told.headers.get("Location", "")
        assert told.status_code < 400
        if path != "/exam":  # an address without its slash is completed on the host that was asked
            assert "evil.example" not in location
            assert not re.search(r"(href|src|action|content)=.?(https?:)?//evil", told.text)
    told = get(place, place.attacker, "/exam/api/paper", **evil)
    assert "evil.example" not in told.text


def test_a_candidates_screen_is_not_the_kiosk(place: Yard) -> None:
    """What nginx says of where a request came from is there also when it says loopback."""
    for forged in ("127.0.0.1", "::1", "127.0.0.1, 10.0.0.7", ""):
        for cookie in ("", f"examroom_kiosk={place.attacker.cookies['examroom_tablet']}"):
            head = {"X-Forwarded-For": forged, "Cookie": cookie}
            refused(get(place, requests.Session(), "/kiosk/api/state", **head), 401, "kiosk_unpaired", "还没有配对")
            told = post(place, requests.Session(), "/kiosk/api/act", {"act": "press", "v": 0}, None, **head)
            refused(told, 401, "kiosk_unpaired", "还没有配对")
