"""Hostile requests: made up from the OpenAPI document, bodies that break parsers, and bytes that are no HTTP."""

from __future__ import annotations

import copy
import json
import random
import re
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import requests
from hypothesis import strategies as st

from bench.hostile import DOCUMENT, ELSEWHERE, MARK, OTHER, TIMEOUT, Caller, Yard, check_answer, items_of
from edge.ops.rehearsal.tablet import some_answer

LONGEST_LINE = 4094
"""gunicorn's limit of the first line of a request."""


def informed_document(place: Yard) -> dict[str, Any]:
    """The document with this room's own ids in it, so that made-up requests reach beyond the first check."""
    document = copy.deepcopy(DOCUMENT)
    parameters, schemas = document["components"]["parameters"], document["components"]["schemas"]
    persons = [row[0] for row in place.desk.db.execute("SELECT person_id FROM candidates WHERE session_id = 'S-1'")]
    known: dict[str, list[Any]] = {
        "session": [place.session, OTHER],
        "person": persons,
        "rubric": ["P01"],
        "camera": ["door"],
        "name": [
            item["image"] for paper in (place.paper, *place.papers) for item in items_of(paper) if "image" in item
        ],
    }
    for name, values in known.items():
        old = parameters[name]["schema"]
        parameters[name]["schema"] = {"anyOf": [{"enum": values}, {"enum": values}, old]}
    own = [item["id"] for paper in (place.paper, *place.papers) for item in items_of(paper)]
    schemas["Answer"]["properties"]["item"] = {"anyOf": [{"enum": own}, schemas["Answer"]["properties"]["item"]]}
    letters = {"type": "array", "maxItems": 3, "items": {"enum": [*"ABCDEF", "1A", "2B", "500,500", "20 mm", ""]}}
    schemas["Answer"]["properties"]["value"] = {"anyOf": [letters, schemas["Answer"]["properties"]["value"]]}
    seat = schemas["Claim"]["properties"]["seat_code"]
    schemas["Claim"]["properties"]["seat_code"] = {"anyOf": [{"enum": place.codes[1:4]}, seat]}
    for name, schema in schemas.items():
        properties = schema.get("properties", {})
        if name not in ("Error",) and properties.get("person", {}).get("type") == "string":
            properties["person"] = {"anyOf": [{"enum": persons}, properties["person"]]}
        if properties.get("rubric", {}).get("type") == "string":
            properties["rubric"] = {"anyOf": [{"enum": ["P01"]}, properties["rubric"]]}
    return document


@dataclass(frozen=True)
class Request:
    """One to be sent: where by the document, and the arguments of `requests.request`."""

    path: str
    method: str
    arguments: Mapping[str, Any]
    token: str
    """own, stolen, or as made up."""


def made_up(
    place: Yard, about: Callable[[str], bool] = lambda path: path != "/staff/logout"
) -> st.SearchStrategy[Request]:
    """Requests to the operations whose path `about` chooses, half of them not as the document wants them.

    Not to the sign-out: whoever is signed out is nobody.
    """
    import schemathesis
    from schemathesis.generation import GenerationMode

    schema = schemathesis.openapi.from_dict(informed_document(place))
    tokens = st.sampled_from(["own", "own", "own", "stolen", "made up"])
    choices = []
    for found in schema.get_all_operations():
        operation = found.ok()
        if not about(operation.path):
            continue
        modes = [GenerationMode.POSITIVE]
        if operation.definition.raw.get("parameters") or operation.definition.raw.get("requestBody"):
            modes.append(GenerationMode.NEGATIVE)
        for mode in modes:
            cases = operation.as_strategy(generation_mode=mode)
            choices.append(
                st.builds(
                    lambda case, token, path=operation.path, method=operation.method: Request(
                        path, method.lower(), case.as_transport_kwargs(place.base), token
                    ),
                    cases,
                    tokens,
                )
            )
    return st.one_of(choices)


def send(place: Yard, caller: Caller, request: Request) -> requests.Response | None:
    """Send it as this caller and look at the answer. What no HTTP client can put on the wire is not sent: None."""
    arguments = dict(request.arguments)
    headers = {k: v for k, v in dict(arguments.pop("headers", {})).items() if not k.startswith("X-Schemathesis")}
    if request.token != "made up":
        headers["X-CSRF"] = caller.token if request.token == "own" else place.token(place.victims[0])
    headers |= ELSEWHERE
    cookies = {**(arguments.pop("cookies", None) or {}), **caller.cookies}
    try:
        answer = requests.request(
            **arguments, headers=headers, cookies=cookies, timeout=TIMEOUT, allow_redirects=False, stream=True
        )
    except (requests.exceptions.InvalidHeader, requests.exceptions.InvalidURL, UnicodeError):
        return None
    place.count.sent += 1
    with answer:
        if answer.status_code == 414:  # the HTTP server's own word, before the product has seen anything
            place.count.statuses[answer.status_code] += 1
            assert len(str(answer.request.url)) > LONGEST_LINE - 100
            return answer
        if answer.headers.get("Content-Type", "").startswith("text/event-stream"):
            place.count.statuses[answer.status_code] += 1
            assert caller.staff
            return answer
        check_answer(place, caller, request.path, request.method, answer)
    return answer


def sequences(place: Yard) -> st.SearchStrategy[list[Request]]:
    """A tablet's operations in an order of their own: ids used again, numbers skipped, other people's items.

    The number of each counts from the one the room expects (`play`): half of them are as an honest tablet's.
    """
    own, others = items_of(place.paper), [item for paper in place.papers for item in items_of(paper)]
    mine = [item for item in own if item["type"] != "case"]
    honest = st.builds(
        lambda item, seed: {"item": item["id"], "value": some_answer(item, random.Random(seed))},
        st.sampled_from(mine),
        st.integers(0, 1000),
    )
    odd = st.fixed_dictionaries(
        {
            "item": st.sampled_from([item["id"] for item in (*own, *others)]) | st.text(min_size=1, max_size=8),
            "value": st.lists(st.sampled_from(["A", "B", "AA", "1 kg", "500,500", "", "甲"]), max_size=4),
        }
    )
    about = st.fixed_dictionaries(
        {
            "op_id": st.uuids().map(str) | st.sampled_from([f"sequence-{n}" for n in range(12)]),
            "seq": st.sampled_from([0, 0, 0, 0, 1, -1, 1000, -(2**40), 2**63]),
        },
        optional={"age_ms": st.integers(-1, 2**40)},
    )
    version = st.sampled_from([0, 0, 0, 1, 2, -1])
    answer = st.builds(
        lambda what, facts, base: ("/exam/api/answers", {**facts, **what, "base_version": base}),
        honest | odd,
        about,
        version,
    )
    part = st.builds(lambda facts, n: ("/exam/api/part", {**facts, "part": n}), about, st.integers(-1, 3))
    token = st.sampled_from(["own", "own", "own", "stolen"])
    made = st.builds(
        lambda sent, token: Request(
            sent[0], "post", {"method": "POST", "url": place.base + sent[0], "json": sent[1]}, token
        ),
        answer | answer | part,
        token,
    )
    return st.lists(made, min_size=3, max_size=12)


def play(place: Yard, caller: Caller, sequence: list[Request]) -> None:
    """Send a sequence with the numbers that the room expects, as far as it has said so."""
    expected = 1
    for request in sequence:
        body = dict(request.arguments["json"])
        body["seq"] += expected
        told = send(place, caller, replace(request, arguments={**request.arguments, "json": body}))
        if told is not None and told.status_code == 200:
            expected = max(expected, body["seq"] + 1)
        elif told is not None and told.status_code == 409:
            expected = told.json().get("expected", expected)


# ---- bodies that break parsers


def odd_bodies(item: str) -> dict[str, bytes]:
    """By name; each is refused by whatever takes JSON."""
    good = {"op_id": "x" * 16, "seq": 1, "item": item, "base_version": 0, "value": ["A"]}

    def raw(**changes: str) -> bytes:
        """`good` with some values as JSON text of one's own."""
        return ("{" + ",".join(f'"{k}":{changes.get(k, json.dumps(v))}' for k, v in good.items()) + "}").encode()

    return {
        "nothing": b"",
        "null": b"null",
        "a list": b"[]",
        "half": b'{"op_id": "xxxxxxxx", "seq": 1, "item"',
        "deep": b"[" * 30_000,
        "deep and closed": b"[" * 20_000 + b"]" * 20_000,
        "deep inside": raw(value="[" * 5000 + "]" * 5000),
        "NaN": raw(seq="NaN"),
        "Infinity": raw(seq="Infinity"),
        "1e999": raw(seq="1e999"),
        "2**63": raw(seq=str(2**63)),
        "2**64 + 1": raw(base_version=str(2**64 + 1)),
        "a number of 5000 digits": raw(seq="9" * 5000),
        "minus": raw(seq="-1"),
        "a float": raw(seq="1.0"),
        "true for one": raw(seq="true"),
        "text for one": raw(seq='"1"'),
        "NUL": raw(item='"\\u0000"'),
        "a lone surrogate": raw(item='"\\ud800"'),
        "a lone surrogate as value": raw(value='["\\udfff"]'),
        "not UTF-8": raw(item='"?"').replace(b"?", b"\xff\xfe"),
        "a byte order mark": b"\xef\xbb\xbf" + raw(seq="0"),
        "UTF-16": json.dumps(good).encode("utf-16"),
        "too many values": raw(value=json.dumps(["A"] * 1000)),
        "a long value": raw(value=json.dumps(["A" * 50_000])),
        "values that are no text": raw(value='[1, null, {"a": []}]'),
        "one more field": raw(seq='7, "left_ms": 9999999'),
        "a control character": raw(op_id='"\x01\x02\x03\x04\x05\x06\x07\x08"'),
        "an op id of another alphabet": raw(op_id='"١٢٣٤٥٦٧٨٩"'),
    }


# ---- raw bytes


def raw_requests(place: Yard) -> dict[str, bytes]:
    """By name: what is no HTTP, or HTTP of the worst kind."""
    head = b"Host: room\r\nConnection: close\r\n"
    claim_head = b"POST /exam/api/claim HTTP/1.1\r\n" + head
    paths = (
        "/exam/static/../api.py",
        "/exam/static/%2e%2e/api.py",
        "/exam/static/..%2fapi.py",
        "/exam/static/..%5capi.py",
        "/exam/static/%252e%252e/api.py",
        "/ui/static/....//....//config.py",
        "/ui/static//etc/passwd",
        "/exam/static/%00",
        "/exam/static/a%00.js",
        "/exam/api/media/../../../../etc/passwd",
        "/exam/api/media/..%2f..%2fkeys",
        "/exam/api/media/%00",
        "/%ff%fe%fd",
        "/exam/%c0%ae%c0%ae/",
        "//exam//api//clock",
        "/console/api/../../exam/api/clock",
        "/" + "a" * 3000,
    )
    found = {f"path {path[:40]}": f"GET {path} HTTP/1.1\r\n".encode() + head + b"\r\n" for path in paths}
    return found | {
        "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
        "a word": b"HELO room\r\n\r\n",
        "version 9": b"GET / HTTP/9.9\r\n" + head + b"\r\n",
        "no host": b"GET /exam/api/clock HTTP/1.1\r\n\r\n",
        "two hosts": b"GET /exam/api/clock HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "an address as target": b"GET http://other.example/exam/api/clock HTTP/1.1\r\n" + head + b"\r\n",
        "CONNECT": b"CONNECT other.example:443 HTTP/1.1\r\n" + head + b"\r\n",
        "a method of one's own": b"BREW /exam/api/clock HTTP/1.1\r\n" + head + b"\r\n",
        "TRACE": b"TRACE /exam/api/clock HTTP/1.1\r\n" + head + b"\r\n",
        "a header of 100 kB": b"GET / HTTP/1.1\r\n" + head + b"X-Long: " + b"a" * 100_000 + b"\r\n\r\n",
        "2000 headers": b"GET / HTTP/1.1\r\n" + head + b"".join(b"X-%d: 1\r\n" % n for n in range(2000)) + b"\r\n",
        "a cookie of 60 kB": b"GET /exam/api/clock HTTP/1.1\r\n" + head + b"Cookie: a=" + b"b" * 60_000 + b"\r\n\r\n",
        "a header without a name": b"GET / HTTP/1.1\r\n" + head + b": x\r\n\r\n",
        "a header with NUL": b"GET / HTTP/1.1\r\n" + head + b"X-A: \x00\r\n\r\n",
        "a folded header": b"GET / HTTP/1.1\r\n" + head + b"X-A: 1\r\n 2\r\n\r\n",
        "a cookie that is no UTF-8": b"GET /exam/api/clock HTTP/1.1\r\n" + head
        + b"Cookie: examroom_tablet=\x89\xd7\r\n\r\n",
        "line ends in a header": b"GET /exam/api/clock?a=%0d%0aSet-Cookie:%20x=y HTTP/1.1\r\n" + head + b"\r\n",
        "two lengths": claim_head + b"Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}abc",
        "a length below zero": claim_head + b"Content-Length: -1\r\n\r\n{}",
        "a length of 5000 digits": claim_head + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
        "a length that is no number": claim_head + b"Content-Length: 0x10\r\n\r\n{}",
        "a length of a petabyte": claim_head + b"Content-Length: 1125899906842624\r\n\r\n{}",
        "length and chunks": claim_head + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "chunks that are none": claim_head + b"Transfer-Encoding: chunked\r\n\r\nZZZ\r\n{}\r\n0\r\n\r\n",
        "a chunk below zero": claim_head + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        "a chunk beyond counting": claim_head + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}\r\n",
        "an encoding nobody knows": claim_head + b"Transfer-Encoding: xyz\r\nContent-Length: 2\r\n\r\n{}",
        "a second request inside": claim_head + b"Content-Length: 2\r\n\r\n{}GET /console/ HTTP/1.1\r\n\r\n",
        "gzip that is none": claim_head + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        "a form that is none": b"POST /staff/login HTTP/1.1\r\n" + head
        + b"Content-Type: multipart/form-data; boundary=\r\nContent-Length: 5\r\n\r\n--\r\n-",
        "a charset nobody knows": claim_head + b"Content-Type: application/json; charset=klingon\r\n"
        b"Content-Length: 2\r\n\r\n{}",
        "a range beyond counting": b"GET /exam/static/js/view.js HTTP/1.1\r\n" + head
        + b"Range: bytes=99999999999999999999-\r\n\r\n",
        "a thousand ranges": b"GET /ui/static/base.css HTTP/1.1\r\n" + head
        + b"Range: bytes=" + b",".join(b"0-0" for _ in range(1000)) + b"\r\n\r\n",
        "a date that is none": b"GET /exam/static/js/view.js HTTP/1.1\r\n" + head
        + b"If-Modified-Since: 99999999\r\nIf-None-Match: \xff\r\n\r\n",
        "a language that is none": b"GET /exam/?lang=%00%0d%0a HTTP/1.1\r\n" + head + b"\r\n",
        "a PROXY line": b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET /kiosk/api/state HTTP/1.1\r\n" + head + b"\r\n",
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(30),
        "a WebSocket": b"GET /exam/ HTTP/1.1\r\nHost: room\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    }  # fmt: skip


def noise(place: Yard) -> st.SearchStrategy[bytes]:
    """Raw requests with bytes put in, taken out and changed."""
    body = b'{"seat_code": "000000"}'
    honest = (
        b"POST /exam/api/claim HTTP/1.1\r\nHost: room\r\nConnection: close\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body),
        b"GET /exam/api/clock HTTP/1.1\r\nHost: room\r\nConnection: close\r\nCookie: examroom_tablet=x\r\n\r\n",
        b"POST /staff/logout HTTP/1.1\r\nHost: room\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\ncsrf=\r\n0\r\n\r\n",
    )
    # without those that make the server wait for more than will come
    others = [sent for name, sent in raw_requests(place).items() if len(sent) < 4000 and "petabyte" not in name]
    pieces = st.sampled_from(
        [b"\r\n", b"\x00", b"\xff", b":", b" ", b"%", b"..", b"HTTP/1.1", b"chunked", b"-1", b"=;"]
    )
    changes = st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 12), pieces | st.binary(max_size=8)), min_size=1, max_size=6
    )

    def mutate(sent: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
        for where, length, new in changes:
            at = int(where * len(sent))
            sent = sent[:at] + new + sent[at + length :]
        return sent

    return st.builds(mutate, st.sampled_from([*honest, *honest, *others]), changes)


def send_raw(place: Yard, name: str, sent: bytes, seconds: float = 3.0) -> bytes:
    """Send bytes as they are; what came back until the server closed, or fell silent for `seconds`."""
    port = int(place.base.rpartition(":")[2])
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as wire, suppress(OSError):
        wire.sendall(sent)
        wire.shutdown(socket.SHUT_WR)
        while part := wire.recv(65536):
            got += part
    place.count.sent += 1
    place.count.raw += 1
    statuses = [int(code) for code in re.findall(rb"^HTTP/1\.[01] (\d{3}) ", got, re.M)]
    if not statuses:
        place.count.silent += 1
    for status in statuses:
        place.count.statuses[status] += 1
        assert status < 500, f"{name}: {got[:300]!r}"
    for word in (b"from __future__", b"root:", b"BEGIN", MARK.encode()):
        assert word not in got, f"{name}: {got[:300]!r}"
    return got
