"""The tablet's shell. It holds no data: everything comes by the API, so that the shell may be kept for use offline."""

from __future__ import annotations

from flask import Response, render_template

from edge.web.exam import bp


@bp.get("/")
def page() -> str:
    return render_template("exam/exam.html")


@bp.get("/sw.js")
def service_worker() -> Response:
    """The service worker, served from here because its place decides which pages it may serve."""
    response = bp.send_static_file("sw.js")
    response.headers["Cache-Control"] = "no-cache"
    return response
