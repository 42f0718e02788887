"""Errors as people meet them: a page with the sentence and what to do next, or JSON for scripts.

Shape of the JSON: {"error": code, "zh": sentence, "en": sentence}, with the error's own HTTP status.
"""

from __future__ import annotations

from flask import Response, jsonify, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from edge.errors import BadInput, ExamroomError, NotFound

_FROM_STATUS = {404: "page_missing", 405: "page_method", 413: "page_too_large", 429: "page_busy"}


class Fault(ExamroomError):
    """Something of ours broke; the log has the details, the person gets a sentence."""

    status = 500


def as_error(error: Exception) -> ExamroomError:
    """Any exception that reached the top of a request, as one of ours with a catalogued sentence."""
    if isinstance(error, ExamroomError):
        return error
    status = error.code if isinstance(error, HTTPException) and error.code else 500
    if status == 404:
        return NotFound("page_missing")
    if status >= 500:
        return Fault("page_fault")
    wrapped = BadInput(_FROM_STATUS.get(status, "page_request"))
    wrapped.status = status
    return wrapped


def render_error(error: ExamroomError, lang: str) -> str:
    """The HTML page of one error: its sentence in both languages, `lang` first, and the next step."""
    other = "en" if lang == "zh" else "zh"
    return render_template(
        "ui/error.html",
        sentence=error.sentence(lang),
        other_sentence=error.sentence(other),
        other_lang=other,
        code=error.code,
        status=error.status,
        step=_next_step(error.status),
    )


def error_response(error: Exception, lang: str) -> Response:
    """What an application's error handler returns: JSON to a script, a page to a person."""
    known = as_error(error)
    if _from_script():
        return make_response(jsonify(error_body(known)), known.status)
    return make_response(render_error(known, lang), known.status)


def error_body(known: ExamroomError) -> dict[str, object]:
    """The JSON object of an error."""
    body: dict[str, object] = {"error": known.code, "zh": known.sentence("zh"), "en": known.sentence("en")}
    if known.code == "sequence_wrong":  # a tablet that was replaced has no other way to learn it
        body["expected"] = known.facts["expected"]
    return body


def _from_script() -> bool:
    """Under an /api/ path, or whoever sends JSON or asks for it by name."""
    return "/api/" in request.path or request.is_json or "application/json" in request.headers.get("Accept", "")


def _next_step(status: int) -> str:
    if status == 401:
        return "sign_in"
    if status == 403:
        return "other_person"
    if status in (429, 503):
        return "wait"
    return "technician" if status >= 500 else "back"
