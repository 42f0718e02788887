"""What tests of dishonesty share: requests by hand, what a refusal must say, what the store holds of an attempt."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from bench.hostile import TIMEOUT, Yard, items_of
from edge.domain.reasons import sentence
from edge.store import journal
from edge.store.db import connect
from support.serving import PROCTOR, SUPERVISOR


class Address(HTTPAdapter):
    """Requests from another of this machine's own addresses, so that what is counted by address is counted apart."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **keywords: Any) -> None:
        super().init_poolmanager(*arguments, **keywords, source_address=(self._address, 0))  # type: ignore[no-untyped-call]


def from_address(address: str) -> requests.Session:
    http = requests.Session()
    http.mount("http://", Address(address))
    return http


def refused(answer: requests.Response, status: int, code: str, zh: str) -> None:
    """Refused with this code, and the sentence a person reads; `zh` is a part of it."""
    told = answer.json()
    assert "error" in told, (answer.request.url, told)
    assert (answer.status_code, told["error"]) == (status, code), told
    assert zh in told["zh"]
    assert told["en"] and not re.search(r"[\u4e00-\u9fff]", told["en"])
    if "{" not in sentence(code, "en"):
        assert told == {"error": code, "zh": sentence(code, "zh"), "en": sentence(code, "en")}


def post(
    place: Yard, http: requests.Session, path: str, body: Any, token: str | None = None, **headers: str
) -> requests.Response:
    head = headers | ({"X-CSRF": token} if token is not None else {})
    return http.post(place.base + path, json=body, headers=head, timeout=TIMEOUT)


def get(place: Yard, http: requests.Session, path: str, **headers: str) -> requests.Response:
    return http.get(place.base + path, headers=headers, timeout=TIMEOUT, allow_redirects=False)


def an_answer(paper: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    item = items_of(paper)[0]["id"]
    body = {"op_id": uuid.uuid4().hex, "seq": paper["next_seq"], "item": item, "base_version": 0, "value": ["A"]}
    return body | changes


def fresh(place: Yard, http: requests.Session) -> dict[str, Any]:
    """The paper as it is now, with the number that comes next."""
    document: dict[str, Any] = get(place, http, "/exam/api/paper").json()
    return document


def ops_of(place: Yard, attempt: str) -> list[Any]:
    connection = connect(place.desk.config.paths.answers_db)
    try:
        return journal.find_ops(connection, attempt)
    finally:
        connection.close()


def standing_of(place: Yard, attempt: str) -> dict[str, list[str]]:
    connection = connect(place.desk.config.paths.answers_db)
    try:
        return {item: response.value for item, response in journal.responses(connection, attempt).items()}
    finally:
        connection.close()


def staff(place: Yard, who: Any = PROCTOR) -> tuple[requests.Session, str]:
    http = requests.Session()
    form = {"badge": who.badge, "pin": who.pin, "next": "/staff/"}
    page = http.post(f"{place.base}/staff/login", data=form, timeout=TIMEOUT)
    found = re.search(r'name="csrf"[^>]*value="([0-9a-f]{32})"', page.text)
    assert found, page.url
    return http, found[1]


def seat_tile(place: Yard, attempt_seat: str) -> dict[str, Any]:
    http, _ = staff(place, SUPERVISOR)
    board = get(place, http, f"/console/api/{place.session}/board").json()
    tile: dict[str, Any] = next(t for t in board["seats"] if t["seat"] == attempt_seat)
    return tile
