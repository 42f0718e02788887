"""The routes rooms speak to. Each is thin: authenticate, parse, call, answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeVar, cast

from flask import Blueprint, Response, current_app, request, send_file
from pydantic import BaseModel

from edge import __version__, clock
from edge.errors import BadInput, ExamroomError, Refused
from edge.gateway import bundles, clips, releasing, results, rooms
from edge.gateway import witness as witnessing
from edge.gateway.alarms import log_request
from edge.gateway.objects import part_number
from edge.gateway.places import Places
from edge.gateway.rooms import Caller
from edge.gateway.settings import Province
from edge.trust.protocol import (
    CheckpointAnswer,
    CheckpointRequest,
    EnrolRequest,
    Health,
    ReleaseAnswer,
    ReleaseRequest,
    ResultsAnswer,
    ResultsRequest,
    parse,
)
from edge.trust.remote import ClipEnd, ClipFile, ClipRefusal

Said = TypeVar("Said", bound=BaseModel)
_SILENT_S = 30.0
api = Blueprint("api", __name__, url_prefix="/v1")


def province() -> Province:
    return cast(Province, current_app.extensions["province"])


@api.get("/health")
def health() -> Response:
    return _json(Health(name=province().settings.name, version=__version__, time_ms=clock.wall_ms()))


@api.post("/enrol")
def enrol() -> Response:
    return _json(rooms.enrol(province(), parse(EnrolRequest, _body())))


@api.get("/rooms/<room>/status")
def status(room: str) -> Response:
    caller = _caller(room)
    answer = rooms.room_status(province(), caller)
    _log(caller, 200, 0)
    return _json(answer)


@api.get("/rooms/<room>/bundles")
def bundle_list(room: str) -> Response:
    caller = _served(room)
    found = bundles.bundles_for(province(), caller)
    _log(caller, 200, len(found.bundles))
    return _json(found)


@api.get("/rooms/<room>/bundles/<kind>/<name>/<int:version>")
def bundle(room: str, kind: str, name: str, version: int) -> Response:
    caller = _served(room)
    if version > 2**53:
        raise BadInput("page_request")
    path, sha256 = bundles.bundle_file(province(), caller, kind, name, version)
    response = send_file(path.resolve(), mimetype="application/octet-stream", etag=sha256, conditional=True)
    _log(caller, response.status_code, 1, sha256)
    return response


@api.post("/rooms/<room>/releases")
def release(room: str) -> Response:
    caller = _served(room)
    try:
        envelope = releasing.release(province(), caller, parse(ReleaseRequest, _body()))
    except ExamroomError as error:
        _log(caller, error.status, 0)
        raise
    _log(caller, 200, 1, hashlib.sha256(envelope).hexdigest())
    return _json(ReleaseAnswer(release=envelope.decode()))


@api.post("/rooms/<room>/results")
def take_results(room: str) -> Response:
    caller = _caller(room)
    try:
        wanted = parse(ResultsRequest, _body())
    except ExamroomError as error:
        _log(caller, error.status, 0)
        raise
    items = results.accept(province(), caller.room, wanted.envelopes, _route())
    return _json(ResultsAnswer(items=items))


@api.post("/rooms/<room>/checkpoints")
def take_checkpoint(room: str) -> Response:
    caller = _caller(room)
    try:
        wanted = parse(CheckpointRequest, _body())
    except ExamroomError as error:
        _log(caller, error.status, 0)
        raise
    note = witnessing.witness(province(), caller, wanted, _route())
    return _json(CheckpointAnswer(note=note))


@api.get("/rooms/<room>/clips")
def clip_list(room: str) -> Response:
    caller = _caller(room)
    found = clips.waiting(province(), caller)
    _log(caller, 200, len(found.requests))
    return _json(found)


@api.post("/rooms/<room>/clips/<clip>/refusal")
def refuse_clip(room: str, clip: str) -> Response:
    return _of_clip(
        room, ClipRefusal, lambda caller, said: clips.refuse(province(), caller, clip, said.reason, _route())
    )


@api.post("/rooms/<room>/clips/<clip>/file")
def clip_file(room: str, clip: str) -> Response:
    return _of_clip(
        room, ClipFile, lambda caller, file: clips.plan(province(), caller, clip, file, _route(), _places())
    )


@api.post("/rooms/<room>/clips/<clip>/end")
def end_clip(room: str, clip: str) -> Response:
    _places().give_back(clip)
    return _of_clip(room, ClipEnd, lambda caller, said: clips.finish(province(), caller, clip, said.sha256, _route()))


@api.put("/parts/<clip>/<number>")
def put_part(clip: str, number: str) -> Response:
    """The address is the right to this one part: whoever has it was given it by `clip_file`."""
    line = request.environ.get("gunicorn.socket")
    if line is not None:  # a room that lost its power in the middle of a part would hold its place for ever
        line.settimeout(_SILENT_S)
    clips.take(province(), clip, part_number(number), request.args, request.stream, _places())
    return Response(status=200)


def _places() -> Places:
    return cast(Places, current_app.extensions["places"])


def _of_clip(room: str, model: type[Said], act: Callable[[Caller, Said], BaseModel]) -> Response:
    caller = _caller(room)
    try:
        return _json(act(caller, parse(model, _body())))
    except ExamroomError as error:
        _log(caller, error.status, 0)
        raise


def _caller(room: str) -> Caller:
    query = request.query_string.decode("latin-1")
    target = request.path + (f"?{query}" if query else "")
    header = request.headers.get("Authorization")
    return rooms.authenticate(province(), header, room, request.method, target, _body)


def _served(room: str) -> Caller:
    """A caller who may be given bundles."""
    caller = _caller(room)
    if caller.suspended:
        _log(caller, 403, 0)
        raise Refused("room_suspended", room=room)
    return caller


def _body() -> bytes:
    return request.get_data(cache=True)


def _route() -> str:
    return str(request.url_rule)


def _log(caller: Caller, status_code: int, count: int, *shas: str) -> None:
    with province().engine.begin() as connection:
        log_request(connection, caller.room, request.method, _route(), status_code, count, shas)


def _json(model: BaseModel) -> Response:
    return Response(model.model_dump_json(), mimetype="application/json")
