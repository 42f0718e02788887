"""The gateway as a Flask application. Its contract is `openapi.yaml` beside this file; tests hold the two together."""

from __future__ import annotations

import logging

from flask import Flask, Response, request
from gunicorn.http.errors import NoMoreData, ParseException
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from edge.errors import BadInput, ExamroomError, NotFound
from edge.gateway.database import unavailable
from edge.gateway.page import pages
from edge.gateway.places import Places
from edge.gateway.results import error_body
from edge.gateway.routes import api
from edge.gateway.settings import Province
from edge.trust.protocol import MAX_BODY

log = logging.getLogger("examroom.gateway")

THREADS = 16
_POLICY = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; form-action 'none'; base-uri 'none'"
_BY_STATUS = {404: "page_missing", 405: "page_method", 413: "page_too_large"}


class Fault(ExamroomError):
    """Something of ours broke; the log has the details, the caller gets a sentence."""

    status = 500


def create_gateway(province: Province, threads: int = THREADS) -> Flask:
    """The application over an open province, which the caller closes. `threads` serve it: at most half of them take
    footage, so that results and checkpoints find one free however many rooms send.
    """
    app = Flask("edge.gateway")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.extensions["province"] = province
    app.extensions["places"] = Places(threads // 2)
    app.register_blueprint(api)
    app.register_blueprint(pages)
    app.register_error_handler(Exception, _answer)
    app.after_request(_headers)
    return app


def _answer(error: Exception) -> Response:
    known = _known(error)
    response = Response(error_body(known).model_dump_json(), known.status, mimetype="application/json")
    if known.status == 401:
        response.headers["WWW-Authenticate"] = "Examroom"
    if known.status == 429 and "seconds" in known.facts:
        response.headers["Retry-After"] = str(known.facts["seconds"])
    return response


def _known(error: Exception) -> ExamroomError:
    """Any exception as one of ours; what nobody foresaw is logged with its traceback and told without it."""
    if isinstance(error, ExamroomError):
        return error
    if isinstance(error, (ParseException, NoMoreData)):  # a body that is no HTTP comes to light when it is read
        return BadInput("page_request")
    if isinstance(error, HTTPException) and error.code is not None and error.code < 500:
        if error.code == 404:
            return NotFound("page_missing")
        wrapped = BadInput(_BY_STATUS.get(error.code, "page_request"))
        wrapped.status = error.code
        return wrapped
    log.error("%s %s failed", request.method, request.url_rule, exc_info=error)
    if isinstance(error, SQLAlchemyError):
        return unavailable(error)
    return Fault("gateway_fault")


def _headers(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = _POLICY
    if request.endpoint != "static" and "ETag" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    return response
