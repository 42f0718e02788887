"""What all pages share: layout, styles, texts in two languages, error pages and the headers that protect them.

`init_ui(app)` is all an application calls; `render_error` and `error_response` are for its error handlers.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from flask import Blueprint, Flask, Response, has_request_context, request, url_for
from flask.json.provider import DefaultJSONProvider

from edge.ui.catalogue import LANGUAGES, area_texts, text
from edge.ui.errors import as_error, error_response, render_error

__all__ = ["as_error", "error_response", "init_ui", "language", "render_error"]

COOKIE = "lang"
CHINA = timezone(timedelta(hours=8))
YEAR_S = 365 * 24 * 3600
# Pages carry no script or style but our own files; pictures and clips may come from memory (blob:).
POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_DATA_HEADERS = (("X-Content-Type-Options", "nosniff"),)
_PAGE_HEADERS = (
    ("Content-Security-Policy", POLICY),
    *_DATA_HEADERS,
    ("Referrer-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=()"),
)


def language() -> str:
    """The language of this request: ?lang=, else the cookie, else Chinese."""
    if not has_request_context():
        return LANGUAGES[0]
    for wanted in (request.args.get(COOKIE), request.cookies.get(COOKIE)):
        if wanted in LANGUAGES:
            return wanted
    return LANGUAGES[0]


def init_ui(app: Flask) -> None:
    """Give `app` the shared templates, static files (/ui/static), texts, language switch and security headers."""
    shared = Blueprint(
        "ui", "edge.ui", template_folder="templates", static_folder="static", static_url_path="/ui/static"
    )
    app.register_blueprint(shared)
    if isinstance(app.json, DefaultJSONProvider):
        app.json.ensure_ascii = False  # Chinese as UTF-8 takes half the bytes of its escapes
    app.context_processor(_context)
    app.after_request(_remember_language)
    app.after_request(_headers)


def _context() -> dict[str, Any]:
    chosen = language()

    def t(key: str, **facts: object) -> str:
        return text(key, chosen, **facts)

    def texts(*areas: str, both: bool = False) -> dict[str, Any]:
        return {"lang": chosen, "texts": area_texts(areas, None if both else chosen)}

    return {
        "lang": chosen,
        "t": t,
        "texts": texts,
        "lang_url": _lang_url,
        "ui_static": _static,
        "room_time": _room_time,
    }


def _lang_url(wanted: str) -> str:
    """This page in the other language, its other arguments kept."""
    arguments: dict[str, Any] = {**request.args.to_dict(), **(request.view_args or {}), COOKIE: wanted}
    if request.endpoint is None or request.method != "GET":
        return f"?{COOKIE}={wanted}"
    return url_for(request.endpoint, **arguments)


def _static(filename: str) -> str:
    return url_for("ui.static", filename=filename)


def _room_time(milliseconds: int) -> str:
    """Wall time as people in the room read it: China keeps one time zone, whatever the box is set to."""
    return datetime.fromtimestamp(milliseconds / 1000, CHINA).strftime("%Y-%m-%d %H:%M")


def _remember_language(response: Response) -> Response:
    wanted = request.args.get(COOKIE) if request.query_string else None
    if wanted in LANGUAGES:
        # Scripts read and set it too (the exam page switches language without a reload), hence not HttpOnly.
        response.set_cookie(COOKIE, wanted, max_age=YEAR_S, samesite="Lax", httponly=False)
    return response


def _headers(response: Response) -> Response:
    headers = response.headers
    present = {name.lower() for name in headers.keys()}  # noqa: SIM118 - iterating the headers gives pairs
    # data is no document: nothing runs or is framed in it, and each header costs an answer some microseconds
    wanted = _DATA_HEADERS if response.content_type == "application/json" else _PAGE_HEADERS
    headers.extend([(name, value) for name, value in wanted if name.lower() not in present])
    if "cache-control" not in present and not (request.endpoint or "").endswith("static"):
        # Whatever is about people must not stay on a shared tablet; a view that knows better says so itself.
        headers["Cache-Control"] = "no-store"
    return response
