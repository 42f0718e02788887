"""The OpenAPI document and the code say the same: routes, bodies, bounds, and every answer given here."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import ExitStack
from typing import Any

import pytest
from flask.testing import FlaskClient
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from sqlalchemy import event
from werkzeug.test import TestResponse

from edge.domain import merkle
from edge.gateway import clips, routes
from edge.gateway.app import create_gateway
from edge.gateway.bundles import publish
from edge.gateway.rooms import suspend
from edge.gateway.settings import Province
from edge.trust import protocol, remote
from edge.trust.checkpoint import sign_note
from edge.trust.shares import new_codes
from support.contracts import contract
from support.gateways import FakeRoom, result_envelope

DOCUMENT = contract("edge.gateway")
REGISTRY: Registry[Any] = Registry().with_resource("", Resource(DOCUMENT, DRAFT202012))
# an operation's path behind the room's, the same of one that there is, and its method
OPERATIONS = [
    ("status", "", "get"),
    ("bundles", "", "get"),
    ("bundles/{kind}/{name}/{version}", "bundles/bank/safety/1", "get"),
    ("releases", "", "post"),
    ("results", "", "post"),
    ("checkpoints", "", "post"),
    ("clips", "", "get"),
    ("clips/{clip}/refusal", f"clips/{'0' * 32}/refusal", "post"),
    ("clips/{clip}/file", f"clips/{'0' * 32}/file", "post"),
    ("clips/{clip}/end", f"clips/{'0' * 32}/end", "post"),
]
METHODS = {"get", "post", "put", "patch", "delete"}


def test_the_document_is_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    validate(DOCUMENT, cls=OpenAPIV31SpecValidator)


def test_every_route_is_in_the_document_and_the_other_way_round(province: Province) -> None:
    app = create_gateway(province)
    in_code = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower(), rule.endpoint.rpartition(".")[2])
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static"
        for method in rule.methods or ()
        if method not in ("HEAD", "OPTIONS")
    }
    in_document = {
        (path, method, operation["operationId"])
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }
    assert in_code == in_document


@pytest.mark.parametrize(
    "name", sorted(set(DOCUMENT["components"]["schemas"]) - {"RoomId", "Hex32", "Count", "Number", "Envelope", "Note"})
)
def test_every_schema_is_a_model_with_the_same_fields_and_bounds(name: str) -> None:
    ours = _flat(getattr(protocol, name, getattr(remote, name, None)).model_json_schema())
    theirs = _flat(DOCUMENT["components"]["schemas"][name], DOCUMENT["components"]["schemas"])
    assert ours == theirs


def _flat(schema: Any, shared: dict[str, Any] | None = None, definitions: dict[str, Any] | None = None) -> Any:
    """A schema with its references followed and everything that only explains left out."""
    if isinstance(schema, list):
        return [_flat(part, shared, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    definitions = schema.get("$defs", definitions)
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _flat((shared or definitions or {})[name], shared, definitions)
    flat: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("title", "description", "$defs"):
            continue
        if key == "properties":
            flat[key] = {name: _flat(part, shared, definitions) for name, part in value.items()}
        else:
            flat[key] = _flat(value, shared, definitions)
    if "anyOf" in flat and all(set(part) == {"type"} for part in flat["anyOf"]):
        flat["type"] = [part["type"] for part in flat.pop("anyOf")]
    for unordered in ("required", "enum", "type"):
        if isinstance(flat.get(unordered), list):
            flat[unordered] = sorted(flat[unordered])
    return flat


def check_answer(response: TestResponse, path: str, method: str) -> None:
    """Whether an answer is one the document has for this operation."""
    responses, status = DOCUMENT["paths"][path][method]["responses"], response.status_code
    # what an operation itself may answer is named; the default is for what belongs to none and for our own faults
    said = responses.get(str(status)) or (responses["default"] if status in (405, 500) else None)
    assert said is not None, f"{method} {path} answered {response.status_code}: {response.text}"
    if "$ref" in said:
        said = DOCUMENT["components"]["responses"][said["$ref"].rpartition("/")[2]]
    content = said.get("content")
    if content is None:
        assert response.data == b""
        return
    [(media, body)] = content.items()
    assert response.mimetype == media
    if "schema" in body and media == "application/json":
        OAS31Validator(body["schema"], registry=REGISTRY, _resolver=REGISTRY.resolver("")).validate(response.get_json())


def test_the_check_itself_can_fail(client: FlaskClient) -> None:
    response = client.get("/v1/health")
    check_answer(response, "/v1/health", "get")
    with pytest.raises(AssertionError):
        check_answer(client.get("/nowhere"), "/v1/health", "get")
    response.data = b'{"name": 1}'
    with pytest.raises(Exception, match=r"is a required property|is not of type"):
        check_answer(response, "/v1/health", "get")


def test_every_operation_answers_as_the_document_says(client: FlaskClient, province: Province) -> None:
    base = "/v1/rooms/{room}"
    room = FakeRoom(client, province)
    token = room.token()
    request = room.request(token)
    for body in (b"", b"{}", json.dumps(request | {"proof": "A" * 86 + "=="}).encode()):
        check_answer(client.post("/v1/enrol", data=body), "/v1/enrol", "post")
    check_answer(client.post("/v1/enrol", json=request), "/v1/enrol", "post")
    room.enrol(token)
    check_answer(client.get("/"), "/", "get")

    publish(province, "bank", "safety", b"content", None)
    check_answer(room.get("status"), base + "/status", "get")
    listed = room.get("bundles")
    check_answer(listed, base + "/bundles", "get")
    assert [item["name"] for item in listed.get_json()["bundles"]] == ["safety"]
    one = base + "/bundles/{kind}/{name}/{version}"
    etag = f'"{listed.get_json()["bundles"][0]["sha256"]}"'
    for headers, status in (
        ({}, 200),
        ({"Range": "bytes=10-20"}, 206),
        ({"Range": "bytes=99999-"}, 416),
        ({"If-None-Match": etag}, 304),
    ):
        answer = room.get("bundles/bank/safety/1", **headers)
        assert answer.status_code == status
        check_answer(answer, one, "get")
        answer.close()
    for missing in ("bundles/bank/safety/2", "bundles/bank/other/1", f"bundles/bank/safety/{2**63}"):
        check_answer(room.get(missing), one, "get")

    publish(province, "bank", "locked", b"content", None, codes=new_codes())
    for name, version, status in (("locked", 1, 200), ("safety", 1, 404), ("locked", 0, 400)):
        answer = room.post("releases", json.dumps({"name": name, "version": version, "session": "S-1"}).encode())
        assert answer.status_code == status
        check_answer(answer, base + "/releases", "post")

    fork = result_envelope(room.room, 1, 1, room.signer, other=True)
    stranger = result_envelope("room-9", 1, 1, room.signer)
    texts = [e.decode() for e in (room.envelope(1), room.envelope(1), fork, stranger)] + ["{}", "not json"]
    batch = json.dumps({"envelopes": texts}).encode()
    for body in (batch, b"", b"[]", b'{"envelopes": []}', b'{"envelopes": ["' + b"x" * (17 * 1024 * 1024) + b'"]}'):
        check_answer(room.post("results", body), base + "/results", "post")

    assert room.certificate is not None
    origin = room.certificate.origin
    leaf = merkle.leaf_hash(b"x")
    note = sign_note(origin, 1, leaf, origin, room.signer)
    for note_text, old, proof in (
        (note, 0, []),
        (note, 5, []),
        ("nonsense", 1, []),
        (note, 1, ["0" * 64]),
        (note, 1, []),
    ):
        body = json.dumps({"note": note_text, "old_size": old, "proof": proof}).encode()
        check_answer(room.post("checkpoints", body), base + "/checkpoints", "post")

    _clips_answer(client, province, room)

    for path, rest, method in OPERATIONS:
        target = f"/v1/rooms/{room.room}/{rest or path}"
        for headers in (
            {},
            room.header(method.upper(), target, b"other"),
            room.header(method.upper(), target, at_ms=5),
        ):
            answer = client.open(target, method=method.upper(), headers=headers)
            assert answer.status_code == 401
            check_answer(answer, f"{base}/{path}", method)
    suspend(province, room.room, "检查")
    check_answer(room.get("bundles"), base + "/bundles", "get")
    check_answer(room.get("bundles/bank/safety/1"), one, "get")
    FakeRoom(client, province).enrol()
    check_answer(room.get("status"), base + "/status", "get")


def _clips_answer(client: FlaskClient, province: Province, room: FakeRoom) -> None:
    """A file of two parts, as one room sends it: every answer of the four operations and of a part's address."""
    base = "/v1/rooms/{room}/clips"
    made = clips.ask(province, room.room, "door", 1, 60_000, "复核", "处长", 1)
    check_answer(listed := room.get("clips"), base, "get")
    [envelope] = listed.get_json()["requests"]
    assert remote.open_request(envelope.encode(), province.key.public) == made
    data = b"x" * 100_000
    parts = [data[:65_536], data[65_536:]]
    file = {"size": len(data), "sha256": sha256(data), "part_bytes": 65_536, "parts": [sha256(one) for one in parts]}
    one = f"clips/{made.id}"

    def post(rest: str, body: object, status: int) -> Any:
        answer = room.post(f"{one}/{rest}", json.dumps(body).encode())
        assert answer.status_code == status, answer.text
        check_answer(answer, f"{base}/{{clip}}/{rest}", "post")
        return answer.get_json()

    for wrong in ({}, file | {"parts": []}, file | {"size": 1}, file | {"part_bytes": 1}):
        post("file", wrong, 400)
    post("end", {"sha256": file["sha256"]}, 404)
    plan = post("file", file, 200)
    assert [part["number"] for part in plan["missing"]] == [1, 2] and not plan["received"]
    post("end", {"sha256": file["sha256"]}, 409)
    addresses = [part["url"] for part in plan["missing"]]
    for url, body, status in (
        (addresses[0], parts[1], 422),
        (addresses[0], parts[0] + b"x", 422),
        (addresses[0], b"", 422),
        (addresses[0].replace("/1?", "/2?"), parts[0], 403),
        (addresses[0].replace("expires=1", "expires=2"), parts[0], 403),
        (addresses[0].partition("?")[0], parts[0], 403),
        (addresses[0].replace("/1?", "/0?"), parts[0], 404),
        (addresses[0], b"x" * (17 << 20), 413),
        (addresses[0], parts[0], 200),
        (addresses[0], parts[0], 200),
    ):
        answer = client.put(url, data=body)
        assert answer.status_code == status, answer.text
        check_answer(answer, "/v1/parts/{clip}/{number}", "put")
    assert [part["number"] for part in post("file", file, 200)["missing"]] == [2]
    with ExitStack() as busy:
        for _ in range(8):
            busy.enter_context(client.application.extensions["places"].reading(made.id))
        answer = client.put(addresses[1], data=parts[1])
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, str(answer.get_json()["facts"]["seconds"]))
        check_answer(answer, "/v1/parts/{clip}/{number}", "put")
        third = clips.ask(province, room.room, "door", 1, 60_000, "复核", "处长", 1)
        one = f"clips/{third.id}"
        assert post("file", file, 429)["error"] == "clip_busy"
        one = f"clips/{made.id}"
    assert client.put(addresses[1], data=parts[1]).status_code == 200
    for _ in range(2):
        assert post("end", {"sha256": file["sha256"]}, 200)["state"] == "received"
        assert post("file", file, 200) == {"received": True, "missing": []}
    post("refusal", {"reason": "no_footage"}, 409)
    post("file", file | {"sha256": "0" * 64}, 409)
    second = clips.ask(province, room.room, "door", 1, 60_000, "复核", "处长", 1)
    one = f"clips/{second.id}"
    for _ in range(2):
        assert post("refusal", {"reason": "no_footage"}, 200)["state"] == "refused"
    post("refusal", {"reason": "NO"}, 400)
    post("file", file, 404)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_locked_database_is_answered_as_the_document_says(room: FakeRoom, province: Province) -> None:
    again = room.request(room.token())
    event.listen(province.engine, "begin", lambda c: c.exec_driver_sql("PRAGMA busy_timeout = 0"), insert=True)
    with province.engine.begin():
        for path, rest, method in OPERATIONS:
            answer = room.get(rest or path) if method == "get" else room.post(rest or path, b"{}")
            assert (answer.status_code, answer.get_json()["error"]) == (503, "gateway_store")
            check_answer(answer, "/v1/rooms/{room}/" + path, method)
        answer = room.client.post("/v1/enrol", json=again)
        assert answer.status_code == 503
        check_answer(answer, "/v1/enrol", "post")
        check_answer(room.client.get("/v1/health"), "/v1/health", "get")
    assert room.get("status").status_code == 200


def test_what_belongs_to_no_operation_is_answered_as_the_document_says(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = client.put("/v1/health")
    assert wrong.status_code == 405
    check_answer(wrong, "/v1/health", "get")
    monkeypatch.setattr(routes, "Health", None)
    broken = client.get("/v1/health")
    assert broken.status_code == 500
    check_answer(broken, "/v1/health", "get")
    operations = [o for path in DOCUMENT["paths"].values() for method, o in path.items() if method in METHODS]
    assert operations and all("default" in operation["responses"] for operation in operations)


def test_every_refusal_is_one_sentence_in_two_languages(client: FlaskClient) -> None:
    for answer in (client.get("/nowhere"), client.post("/v1/health"), client.post("/v1/enrol", data=b"{")):
        assert 400 <= answer.status_code < 500
        body = protocol.ErrorBody.model_validate_json(answer.data)
        assert re.search(r"[\u4e00-\u9fff]", body.zh)
        assert not re.search(r"[\u4e00-\u9fff]", body.en)
        assert "{" not in body.zh.replace("{}", "")
