"""The setup page and the files it hands out. It tells nothing that is not public in the room, and needs no sign-in."""

from __future__ import annotations

import plistlib
import uuid
from dataclasses import dataclass
from io import BytesIO

import segno
from flask import Response, jsonify, make_response, render_template, request

from edge import clock
from edge.domain import seb
from edge.errors import NotFound
from edge.exam import seb as room_seb
from edge.store import sessions
from edge.trust.addresses import addresses, host_in_url, parse_address
from edge.ui import POLICY
from edge.web.room import room, room_db
from edge.web.setup import bp
from edge.web.setup.roomtls import authority, room_tls

SYSTEMS = {"android": 5, "harmony": 4, "windows": 4, "ipad": 5, "chromeos": 4}
_PROFILE = uuid.UUID("6d4b1f0e-6a8b-5d0c-9b57-2f1f5f3c7a11")


@dataclass(frozen=True)
class Place:
    """Where tablets find this room: `http` for the setup, `https` for the exam ("" where there is none)."""

    http: str
    https: str
    others: tuple[str, ...]


@bp.get("/")
def page() -> Response:
    place, tls = _place(), room_tls()
    base = place.https or place.http
    key = seb.config_key(_settings(base, None))
    shown = render_template(
        "setup/setup.html",
        place=place,
        qr=_qr(f"{place.http}/setup/"),
        tls=tls,
        secure=request.is_secure,
        systems=SYSTEMS,
        config_key=key,
        facts={"https": place.https, "http": place.http, "secure": request.is_secure},
    )
    response = make_response(shown)
    # the page on plain HTTP asks the room by HTTPS, to see whether the tablet trusts it
    response.headers["Content-Security-Policy"] = f"{POLICY}; connect-src 'self' {place.https}".rstrip()
    return response


@bp.get("/leave")
def leave() -> str:
    """Where Safe Exam Browser is sent to close itself."""
    return render_template("setup/leave.html")


@bp.get("/api/probe")
def probe() -> Response:
    """The room's time, for whoever asks: that the answer arrives is what is checked."""
    response = jsonify({"now": clock.wall_ms()})
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


@bp.get("/ca.crt")
def ca_der() -> Response:
    """The authority as Android, Windows and ChromeOS install it."""
    return _file(_authority(), "application/x-x509-ca-cert", "examroom-ca.crt")


@bp.get("/ca.pem")
def ca_pem() -> Response:
    _authority()
    found = room_tls()
    return _file(found.ca_pem if found else b"", "application/x-pem-file", "examroom-ca.pem")


@bp.get("/room.mobileconfig")
def profile() -> Response:
    """The authority as a configuration profile for iPads."""
    content = mobileconfig(_authority())
    return _file(content, "application/x-apple-aspen-config", "examroom.mobileconfig")


@bp.get("/exam.seb")
def seb_file() -> Response:
    """Safe Exam Browser's file for `?session=`, else for the session that asks for it next."""
    place = _place()
    chosen = _settings(place.https or place.http, request.args.get("session"))
    return _file(room_seb.seb_file(chosen), "application/seb", "exam.seb")


def mobileconfig(ca: bytes) -> bytes:
    """A profile with one root certificate; the same certificate gives the same profile."""
    own = uuid.uuid5(_PROFILE, ca.hex())
    certificate = {
        "PayloadType": "com.apple.security.root",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"cn.examroom.ca.{own}",
        "PayloadUUID": str(uuid.uuid5(own, "certificate")).upper(),
        "PayloadDisplayName": "考场证书 Exam room CA",
        "PayloadCertificateFileName": "examroom-ca.crt",
        "PayloadContent": ca,
    }
    whole = {
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"cn.examroom.setup.{own}",
        "PayloadUUID": str(own).upper(),
        "PayloadDisplayName": "考场平板设置 Exam room tablet",
        "PayloadDescription": "让这台平板信任本考场的主机。Lets this tablet trust the exam room's box.",
        "PayloadRemovalDisallowed": False,
        "PayloadContent": [certificate],
    }
    return plistlib.dumps(whole, fmt=plistlib.FMT_XML)


def _settings(base: str, session: str | None) -> dict[str, object]:
    return room_seb.settings(base, authority(), room_seb.quit_hash(_policy(session)))


def _policy(session: str | None) -> dict[str, object]:
    """The policy of the session named, else of the next that asks for Safe Exam Browser, else an empty one."""
    connection = room_db()
    if session is not None:
        return dict(sessions.find(connection, session).policy)
    for states in (("running", "checkin"), ("planned",)):
        found = [s for s in sessions.all_sessions(connection, *states) if room_seb.demanded(s.policy)]
        if found:
            return dict(min(found, key=lambda s: s.planned_ms).policy)
    return {}


def _authority() -> bytes:
    found = authority()
    if found is None:
        raise NotFound("tls_missing", path=room().config.paths.tls)
    return found


def _place() -> Place:
    """Addresses are told as numbers: a name needs mDNS, which half of all tablets lack."""
    web = room().config.web
    port = "" if web.behind_proxy else f":{web.port}"
    own = [host_in_url(one) for one in sorted(addresses(), key=lambda one: one.version)]
    asked = request.host.rpartition(":")[0] if request.host.rpartition(":")[2].isdigit() else request.host
    number = parse_address(asked)
    if number is not None and asked not in own and not number.is_loopback:
        own.insert(0, asked)  # reached by an address that is not ours: through a router, which knows better
    elif asked in own:
        own.remove(asked)
        own.insert(0, asked)
    host = own[0] if own else asked
    by_proxy = f"https://{asked}" if web.behind_proxy else ""
    https = request.host_url.rstrip("/") if request.is_secure else by_proxy
    others = tuple(f"http://{one}{port}/setup/" for one in own[1:4])
    return Place(f"http://{host}{port}", https, others)


def _qr(text: str) -> str:
    """An inline SVG without any style of its own; the page's style sheet sizes it."""
    out = BytesIO()
    segno.make(text, error="m", micro=False).save(
        out, kind="svg", xmldecl=False, svgns=True, omitsize=True, border=4, light="#fff", svgclass="qr", lineclass=None
    )
    return out.getvalue().decode()


def _file(content: bytes, kind: str, name: str) -> Response:
    response = Response(content, mimetype=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
