"""The supervisor's spot check: pages (`pages`) and the API that serves them (`api`)."""

from flask import Blueprint

bp = Blueprint("spotcheck", __name__, url_prefix="/spotcheck", template_folder="templates", static_folder="static")

from edge.web.spotcheck import api, pages  # noqa: E402, F401 - routes need the blueprint above
