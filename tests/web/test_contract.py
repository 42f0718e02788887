"""The OpenAPI document and the room's pages say the same: routes, bodies, bounds, and every answer given here."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from pydantic import BaseModel
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from werkzeug.test import TestResponse

from edge.exam import conduct, documents, practice
from edge.exam.banks import open_bank
from edge.store import admissions, people, sessions
from edge.store.status import write_status
from edge.web.app import create_app
from edge.web.body import csrf_of
from edge.web.console import acts, bodies, rehearsing
from edge.web.exam import api as exam
from edge.web.exam import lockdown
from edge.web.kiosk import api as kiosk
from edge.web.scoring import api as scoring
from edge.web.scoring import pictures
from edge.web.spotcheck import exporting as spotcheck
from edge.web.spotcheck import space, viewing
from support.contracts import contract
from support.rooms import make_desk_room
from support.serving import EXAMINER, PROCTOR, SUPERVISOR

DOCUMENT = contract("edge.web")
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
REGISTRY: Registry[Any] = Registry().with_resource("", Resource(DOCUMENT, DRAFT202012))
METHODS = {"get", "post", "put", "patch", "delete"}
# pages and what belongs to them: shells, lists, forms to print, workers, addresses that only lead on
PAGES = re.compile(r"/|/(console|exam|kiosk|scoring|setup|spotcheck|staff)/(sw\.js|leave|login|pair|space|<session>)?")
FORMS = re.compile(r"/console/<session>/forms/.*")
BODIES: dict[str, type[BaseModel]] = {
    "Claim": exam.ClaimBody,
    "Answer": exam.AnswerBody,
    "Handin": exam.HandinBody,
    "OpenPart": exam.PartBody,
    "WatchEvent": lockdown.WatchEvent,
    "Watch": lockdown.WatchBody,
    "PaperSettings": documents.PaperSettings,
    "KioskAct": kiosk.ActBody,
    "Second": bodies.Second,
    "Act": bodies.ActBody,
    **{model.__name__: model for model, _ in acts.ACTS.values() if model is not bodies.ActBody},
    "Practice": practice.PracticeBody,
    "Rehearse": rehearsing.Rehearse,
    "StopRehearsal": rehearsing.StopRehearsal,
    "Queue": scoring.QueueBody,
    "WorkClock": scoring.ClockBody,
    "Step": scoring.StepBody,
    "Take": scoring.TakeBody,
    "DraftContent": scoring.DraftContent,
    "Draft": scoring.DraftBody,
    "Mark": scoring.Mark,
    "Drawn": scoring.Drawn,
    "Score": scoring.ScoreBody,
    "Rule": scoring.RuleBody,
    "Chief": scoring.ChiefBody,
    "Picture": pictures.PictureBody,
    "Evidence": spotcheck.EvidenceBody,
    "View": viewing.ViewBody,
    "Hold": space.HoldBody,
    "Release": space.ReleaseBody,
}


class Site:
    """A session that runs, with the first three of its people in."""

    def __init__(self, folder: Path) -> None:
        self.desk = make_desk_room(folder, camera={"door": {"backend": "file", "source": "door.mp4"}})
        db, self.session = self.desk.db, self.desk.session
        bank = open_bank(self.desk.identity, self.desk.config.paths.bundles, sessions.find(db, self.session))
        conduct.open_checkin(db, self.session, bank, PROCTOR.id)
        self.people = people.candidates(db, self.session)
        for who in self.people[:3]:
            admissions.admit(db, self.session, who.person, route="policy", reason="admitted_manual", by=PROCTOR.id)
        conduct.start(db, self.session, PROCTOR.id)
        self.codes = [who.seat_code for who in people.candidates(db, self.session)[:3]]
        self.app = create_app(self.desk.config)
        self.app.extensions["examroom"].live.set_running(self.session, True)

    def staff(self, who: Any) -> tuple[FlaskClient, dict[str, str]]:
        client = self.app.test_client()
        told = client.post("/staff/login", data={"badge": who.badge, "pin": who.pin, "next": ""})
        check_answer(told, "/staff/login", "post")
        cookie = client.get_cookie("examroom_staff")
        assert cookie is not None
        return client, {"X-CSRF": csrf_of(cookie.value)}

    def close(self) -> None:
        self.app.extensions["examroom"].journal.close()
        self.desk.db.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("contract"))
    yield made
    made.close()


def check_answer(response: TestResponse, path: str, method: str) -> None:
    """Whether an answer is one the document has for this operation."""
    answers = DOCUMENT["paths"][path][method]["responses"]
    status = str(response.status_code)
    said = answers.get(status) or (answers["4XX"] if status.startswith("4") else None)
    assert said is not None, f"{method} {path} answered {status}: {response.text[:300]}"
    if "$ref" in said:
        said = DOCUMENT["components"]["responses"][said["$ref"].rpartition("/")[2]]
    content = said.get("content")
    if content is None:
        assert response.mimetype == "text/html" or not response.data
        return
    body = content.get(response.mimetype) or content.get("*/*")
    assert body is not None or response.mimetype in content or "*/*" in content, response.mimetype
    if body and "schema" in body and response.mimetype == "application/json":
        OAS31Validator(body["schema"], registry=REGISTRY, _resolver=REGISTRY.resolver("")).validate(response.get_json())


def test_the_document_is_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    validate(DOCUMENT, cls=OpenAPIV31SpecValidator)


def test_every_route_is_in_the_document_and_the_other_way_round(site: Site) -> None:
    in_code = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in site.app.url_map.iter_rules()
        for method in rule.methods or ()
        if method not in ("HEAD", "OPTIONS")
        and not rule.endpoint.endswith("static")
        and not (method == "GET" and (PAGES.fullmatch(rule.rule) or FORMS.fullmatch(rule.rule)))
    }
    in_document = {(path, method) for path, item in DOCUMENT["paths"].items() for method in item if method in METHODS}
    assert in_code == in_document
    endpoints = {rule.endpoint for rule in site.app.url_map.iter_rules()}
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS & set(item):
            assert item[method]["operationId"].removesuffix(".board") in endpoints, path


def test_every_act_of_the_console_is_in_the_document() -> None:
    assert DOCUMENT["components"]["parameters"]["act"]["schema"]["enum"] == sorted(acts.ACTS)
    operation = DOCUMENT["paths"]["/console/api/{session}/{act}"]["post"]
    listed = operation["requestBody"]["content"]["application/json"]["schema"]["anyOf"]
    named = {name for name, model in BODIES.items() if model in {model for model, _ in acts.ACTS.values()}}
    assert {one["$ref"].rpartition("/")[2] for one in listed} == named
    for act, (model, _) in acts.ACTS.items():
        if model is not bodies.ActBody:
            assert re.search(rf"`{model.__name__}` for [a-z, -]*\b{act}\b", operation["description"]), act


@pytest.mark.parametrize("name", sorted(BODIES))
def test_every_body_is_a_model_with_the_same_fields_and_bounds(name: str) -> None:
    schema = BODIES[name].model_json_schema(by_alias=True)
    assert _flat(SCHEMAS[name], SCHEMAS) == _flat(schema, schema.get("$defs", {}))


def _flat(schema: Any, shared: dict[str, Any]) -> Any:
    """A schema with its references followed and everything that only explains, or is filled in, left out."""
    if isinstance(schema, list):
        return [_flat(part, shared) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _flat(shared[schema["$ref"].rpartition("/")[2]], shared)
    flat: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("title", "description", "default", "$defs"):
            continue
        if key == "properties":
            flat[key] = {name: _flat(part, shared) for name, part in value.items()}
        else:
            flat[key] = _flat(value, shared)
    if "anyOf" in flat and all(set(part) == {"type"} for part in flat["anyOf"]):
        flat["type"] = [part["type"] for part in flat.pop("anyOf")]
    for unordered in ("required", "enum", "type"):
        if isinstance(flat.get(unordered), list):
            flat[unordered] = sorted(flat[unordered])
    return flat


def test_every_change_names_the_token_it_needs() -> None:
    """A change by cookie alone could be made by another site's form."""
    for path, item in DOCUMENT["paths"].items():
        for needed in (one for method in ("post", "delete") for one in item.get(method, {}).get("security", ())):
            assert "csrf" in needed or needed.keys() <= {"kiosk"}, path
        for needed in item.get("get", {}).get("security", ()):
            assert "csrf" not in needed, path


def test_the_check_itself_can_fail(site: Site) -> None:
    client = site.app.test_client()
    response = client.get("/setup/api/probe")
    check_answer(response, "/setup/api/probe", "get")
    with client.get("/exam/sw.js") as script, pytest.raises(AssertionError):
        check_answer(script, "/setup/api/probe", "get")
    response.data = b'{"later": 1}'
    with pytest.raises(Exception, match="is a required property"):
        check_answer(response, "/setup/api/probe", "get")


def test_a_tablets_whole_way_is_as_the_document_says(site: Site) -> None:
    client = site.app.test_client()
    for body in ({}, {"seat_code": "000000"}, {"seat_code": site.codes[0]}):
        claimed = client.post("/exam/api/claim", json=body)
        check_answer(claimed, "/exam/api/claim", "post")
    head = {"X-CSRF": claimed.json["csrf"]}
    check_answer(client.get("/exam/api/clock"), "/exam/api/clock", "get")
    paper = client.get("/exam/api/paper")
    check_answer(paper, "/exam/api/paper", "get")
    items = [item for part in paper.json["parts"] for item in part["items"]]
    assert {"judgement", "fill", "order", "match", "hotspot", "case"} <= {item["type"] for item in items}
    for item in items:
        for name in [one["name"] for one in item["media"]] + [item[k] for k in ("image",) if k in item]:
            picture = client.get(f"/exam/api/media/{name}")
            assert picture.status_code == 200
            check_answer(picture, "/exam/api/media/{name}", "get")
    check_answer(client.get("/exam/api/media/nothing.png"), "/exam/api/media/{name}", "get")

    answer = {"op_id": "answer-0001", "seq": 1, "item": items[0]["id"], "base_version": 0, "value": ["A"]}
    sent = [answer, answer, answer | {"op_id": "answer-0002", "seq": 2}, answer | {"op_id": "answer-0003", "seq": 9}]
    for body in [*sent, answer | {"value": ["B"]}, {}]:
        check_answer(client.post("/exam/api/answers", json=body, headers=head), "/exam/api/answers", "post")
    check_answer(client.post("/exam/api/answers", json=answer), "/exam/api/answers", "post")
    part = {"op_id": "part-00001", "seq": 3, "part": 0}
    check_answer(client.post("/exam/api/part", json=part, headers=head), "/exam/api/part", "post")
    watch = {"events": [{"kind": "copy", "at_ms": 1}]}
    check_answer(client.post("/exam/api/watch", json=watch, headers=head), "/exam/api/watch", "post")
    chosen = client.post("/exam/api/settings", json={"size": 2}, headers=head)
    assert chosen.status_code == 200
    check_answer(chosen, "/exam/api/settings", "post")
    check_answer(client.get("/exam/api/paper"), "/exam/api/paper", "get")
    done = client.post("/exam/api/handin", json={"op_id": "handin-0001", "seq": 4}, headers=head)
    assert done.status_code == 200
    check_answer(done, "/exam/api/handin", "post")
    for path in ("clock", "paper"):
        check_answer(client.get(f"/exam/api/{path}"), f"/exam/api/{path}", "get")


def test_what_staff_are_answered_is_as_the_document_says(site: Site) -> None:
    session, person = site.session, site.people[1].person
    proctor, head = site.staff(PROCTOR)
    board, act = "/console/api/{session}/board", "/console/api/{session}/{act}"
    shown = proctor.get(f"/console/api/{session}/board")
    assert shown.status_code == 200
    check_answer(shown, board, "get")
    tries: list[tuple[str, dict[str, Any]]] = [
        ("incident", {"reason": "停电", "kind": "other", "text": "停电两分钟"}),
        ("add-time", {"reason": "迟发", "minutes": 2}),
        ("pause", {"reason": "检查", "person": person}),
        ("resume", {"reason": "检查", "person": person}),
        ("start", {}),
        ("add-time", {"minutes": "many"}),
    ]
    for name, body in tries:
        check_answer(proctor.post(f"/console/api/{session}/{name}", json=body, headers=head), act, "post")
    check_answer(proctor.post(f"/console/api/{session}/dance", json={}, headers=head), act, "post")
    kept = proctor.get(f"/console/api/{session}/kept/{person}")
    assert kept.status_code == 200
    check_answer(kept, "/console/api/{session}/kept/{person}", "get")
    check_answer(proctor.get("/console/api/safe-to-unplug"), "/console/api/safe-to-unplug", "get")
    practised = proctor.post("/console/api/practice", json={"candidates": 1}, headers=head)
    assert practised.status_code == 200
    check_answer(practised, "/console/api/practice", "post")
    rehearsal = "/console/api/{session}/rehearsal"
    next_one = practised.json["session"]
    for name, body, status in (
        (session, {"candidates": 3}, 409),
        (next_one, {"candidates": 3}, 409),
        (session, {}, 400),
    ):
        answer = proctor.post(f"/console/api/{name}/rehearsal", json=body, headers=head)
        assert answer.status_code == status
        check_answer(answer, rehearsal, "post")
    check_answer(
        proctor.post(f"/console/api/{session}/rehearsal/stop", json={}, headers=head), f"{rehearsal}/stop", "post"
    )
    stream = proctor.get(f"/console/api/{session}/events")
    assert stream.mimetype == "text/event-stream"
    stream.close()

    supervisor, head = site.staff(SUPERVISOR)
    timeline = supervisor.get(f"/spotcheck/api/{session}/timeline")
    assert timeline.status_code == 200
    check_answer(timeline, "/spotcheck/api/{session}/timeline", "get")
    now = timeline.json["until_ms"]
    for since, status in ((now - 1000, 200), (0, 403), (now + 1, 400)):
        body = {"cameras": ["door"], "from": since, "until": min(since + 1000, now), "why": "例行抽查"}
        opened = supervisor.post(f"/spotcheck/api/{session}/views", json=body, headers=head)
        assert opened.status_code == status, opened.text
        check_answer(opened, "/spotcheck/api/{session}/views", "post")
        view = opened.json.get("view", "none")
        for name, end in (("fragments", "door"), ("thumbs", "door"), ("answers", "1")):
            told = supervisor.get(f"/spotcheck/api/{session}/{name}/{end}?view={view}")
            assert told.status_code == (status if name != "answers" and status == 200 else 403)
            check_answer(
                told, f"/spotcheck/api/{{session}}/{name}/{{{'number' if name == 'answers' else 'camera'}}}", "get"
            )
        check_answer(
            supervisor.get(f"/spotcheck/{session}/media/x?view={view}"), "/spotcheck/{session}/media/{segment}", "get"
        )
    held = supervisor.post("/spotcheck/api/holds", json={"session": session, "why": "申诉"}, headers=head)
    assert held.status_code == 200
    check_answer(held, "/spotcheck/api/holds", "post")
    shown = supervisor.get("/spotcheck/api/space")
    assert [one["session"] for one in shown.json["holds"]] == [session]
    check_answer(shown, "/spotcheck/api/space", "get")
    release = "/spotcheck/api/holds/{hold}/release"
    for status in (200, 409):
        answer = supervisor.post(release.format(hold=held.json["hold"]), json={"why": "已了结"}, headers=head)
        assert answer.status_code == status
        check_answer(answer, release, "post")
    none = supervisor.get(f"/spotcheck/api/{session}/exports")
    assert none.json == {"exports": []}
    check_answer(none, "/spotcheck/api/{session}/exports", "get")
    asked = {"camera": "door", "from": now - 1000, "until": now, "why": "例行抽查"}
    nothing = supervisor.post(f"/spotcheck/api/{session}/exports", json=asked, headers=head)
    assert nothing.status_code == 404, "there is no footage"
    check_answer(nothing, "/spotcheck/api/{session}/exports", "post")
    early = supervisor.post(f"/spotcheck/api/{session}/inspected", json={}, headers=head)
    assert early.status_code == 409, "it still runs"
    check_answer(early, "/spotcheck/api/{session}/inspected", "post")
    stranger = site.app.test_client()
    for path, item in DOCUMENT["paths"].items():
        if "get" in item and {"staff": []} in item["get"].get("security", ()):
            address = re.sub(r"{\w+}", "x", path)
            answer = stranger.get(address, headers={"Accept": "application/json"})
            if "/api/" in path:
                assert answer.status_code == 401
                check_answer(answer, path, "get")


def test_what_an_examiner_is_answered_is_as_the_document_says(site: Site) -> None:
    session, base = site.session, "/scoring/api/{session}"
    examiner, head = site.staff(EXAMINER)
    sheets = examiner.get(f"/scoring/api/{session}")
    assert sheets.status_code == 200
    for end in ("", "/board"):
        check_answer(examiner.get(f"/scoring/api/{session}{end}"), base + end, "get")
    rubric = sheets.json["rubric"]
    who = {"person": site.people[2].person, "rubric": rubric["id"], "tablet": "tablet-1"}
    picture = {"sha256": hashlib.sha256(b"x").hexdigest(), "size": 1}
    acts_sent: list[tuple[str, dict[str, Any], int]] = [
        ("queue", {"act": "call"}, 200),
        ("take", {}, 200),
        ("clock", {"act": "start"}, 200),
        ("step", {"step": rubric["steps"][0]["id"], "done": True}, 200),
        ("draft", {"base": 0, "content": {"note": "稳"}}, 200),
        ("draft", {"base": 7, "content": {"note": "急"}}, 200),
        ("clock", {"act": "stop"}, 200),
        ("rule", {"points": 1, "reason": "裁定", "pin": EXAMINER.pin}, 403),
        ("queue", {"act": "dance"}, 400),
    ]
    for number, (name, body, status) in enumerate(acts_sent):
        sent = who | {"op_id": f"scoring-{number:04}"} | body
        if name == "rule":
            del sent["tablet"]
        answer = examiner.post(f"/scoring/api/{session}/{name}", json=sent, headers=head)
        assert answer.status_code == status, answer.text
        check_answer(answer, f"{base}/{name}", "post")
    work = examiner.get(f"/scoring/api/{session}/board/{who['person']}/{who['rubric']}")
    assert work.status_code == 200
    check_answer(work, base + "/board/{person}/{rubric}", "get")
    announced = {k: who[k] for k in ("person", "rubric")} | picture
    begun = examiner.post(f"/scoring/api/{session}/pictures", json=announced, headers=head)
    assert begun.status_code == 200
    check_answer(begun, base + "/pictures", "post")
    one = f"/scoring/api/{session}/pictures/{begun.json['picture']}"
    part = examiner.post(f"{one}/parts/0", data=b"y", headers=head | {"X-SHA256": picture["sha256"]})
    check_answer(part, base + "/pictures/{picture}/parts/{part}", "post")
    check_answer(examiner.get(one), base + "/pictures/{picture}", "get")
    removed = examiner.post(f"{one}/remove", headers=head)
    assert removed.status_code == 200
    check_answer(removed, base + "/pictures/{picture}/remove", "post")
    sheet = {"person": who["person"], "marks": [], "pin": EXAMINER.pin}
    signed = examiner.post(f"/scoring/api/{session}/score", json=sheet, headers=head)
    assert signed.status_code == 200, signed.text
    check_answer(signed, base + "/score", "post")
    proctor, head = site.staff(PROCTOR)
    chief = {"op_id": "chief-0001", "examiner": EXAMINER.id, "reason": "主考评员"}
    named = proctor.post(f"/scoring/api/{session}/chief", json=chief, headers=head)
    assert named.status_code == 200
    check_answer(named, base + "/chief", "post")


def test_the_door_and_the_setup_answer_as_the_document_says(site: Site) -> None:
    client = site.app.test_client()
    touch = {"act": "press", "v": 0}
    check_answer(client.post("/kiosk/api/act", json=touch), "/kiosk/api/act", "post")  # while nobody would take it up
    write_status(site.desk.config.paths.status, "checkin", state="ready", held=False)
    assert client.post("/kiosk/api/act", json=touch).status_code == 200
    for path in (
        "/healthz",
        "/metrics",
        "/kiosk/api/state",
        "/kiosk/picture.jpg",
        "/setup/api/probe",
        "/setup/exam.seb",
    ):
        answer = client.get(path)
        assert answer.status_code in (200, 204)
        check_answer(answer, path, "get")
    for path in ("/setup/ca.crt", "/setup/ca.pem", "/setup/room.mobileconfig"):
        answer = client.get(path, headers={"Accept": "application/json"})
        assert answer.json["error"] == "tls_missing"
        check_answer(answer, path, "get")
    for body in ({"act": "press", "v": 0}, {"act": "press", "v": 1}, {"act": "dance", "v": 0}, {}):
        check_answer(client.post("/kiosk/api/act", json=body), "/kiosk/api/act", "post")
    check_answer(client.post("/kiosk/pair"), "/kiosk/pair", "post")
    check_answer(client.post("/staff/login", data={"badge": "x", "pin": "y"}), "/staff/login", "post")
    check_answer(client.post("/staff/logout"), "/staff/logout", "post")


def test_every_refusal_is_one_sentence_in_two_languages(site: Site) -> None:
    """Asked as nobody: each operation refuses, and says so in words that need no looking up."""
    client = site.app.test_client()
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS & set(item):
            if not item[method].get("security") or {} in item[method]["security"]:
                continue
            answer = client.open(
                re.sub(r"{(\w+)}", "1", path), method=method.upper(), headers={"Accept": "application/json"}
            )
            if answer.status_code == 302:  # a page leads to the sign-in
                assert method == "get" or path == "/staff/logout"
                continue
            assert 400 <= answer.status_code < 500, path
            told = json.loads(answer.data)
            assert set(told) == {"error", "zh", "en"}
            assert re.search(r"[\u4e00-\u9fff]", told["zh"])
            assert not re.search(r"[\u4e00-\u9fff]", told["en"])
            assert "{" not in told["zh"] + told["en"]
