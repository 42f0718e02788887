"""Signing in by badge and PIN, for everybody who works here."""

from flask import Blueprint

bp = Blueprint("staff", __name__, url_prefix="/staff", template_folder="templates", static_folder="static")

from edge.web.staff import pages  # noqa: E402, F401 - routes need the blueprint above
