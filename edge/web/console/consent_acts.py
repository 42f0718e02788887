"""What the proctor does about faces: who takes the other route, withdrawing a consent, a picture kept as evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, jsonify

from edge.errors import BadInput, Refused
from edge.exam import conduct, consent
from edge.exam.acts import Op
from edge.store.status import read_statuses
from edge.web.console import bp
from edge.web.console.bodies import ActBody, Registry
from edge.web.room import room, room_db
from edge.web.staff.session import require_role, role_for, signed_in_staff


def _withdraw(session: str, body: ActBody, op: Op) -> Mapping[str, Any]:
    if body.person is None:
        raise BadInput("body_wrong", where="person", detail="missing")
    reason = conduct.need_reason(body.reason)
    return consent.withdraw(room_db(), session, body.person, reason, op.by, op)


CONSENT_ACTS: Registry = {"withdraw-consent": (ActBody, _withdraw)}


@bp.get("/api/<session>/faces")
@require_role("proctor", "supervisor")
def faces(session: str) -> Response:
    """Who can be verified by face, and who takes the other route and why."""
    said = read_statuses(room().config.paths.status).get("checkin", {})
    pack = str(said.get("pack") or room().config.checkin.pack)
    return jsonify(consent.of_session(room_db(), session, pack, str(said.get("pack_version") or "")))


@bp.get("/api/<session>/faces/<person>")
@require_role("proctor", "supervisor")
def face(session: str, person: str) -> Response:
    return jsonify(consent.of_person(room_db(), session, person))


@bp.get("/api/<session>/stills/<person>")
@require_role("proctor", "supervisor")
def still(session: str, person: str) -> Response:
    """The JPEG; who looked is in the ledger, and it stays in no cache. A technician, who may look at pages, may not."""
    who = signed_in_staff()
    if role_for(who, session) not in ("proctor", "supervisor"):
        raise Refused("role_wrong", role=who.role)
    data = consent.open_still(room_db(), session, person, room().identity().keys.data, who.id)
    return Response(data, mimetype="image/jpeg", headers={"Cache-Control": "no-store"})
