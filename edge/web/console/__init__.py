"""The proctor's console: pages (`pages`) and the API that serves them (`api`)."""

from flask import Blueprint

bp = Blueprint("console", __name__, url_prefix="/console", template_folder="templates", static_folder="static")

from edge.web.console import api, pages  # noqa: E402, F401 - routes need the blueprint above
