"""The examiner's score sheets: pages (`pages`) and the API that serves them (`api`, `pictures`)."""

from flask import Blueprint

bp = Blueprint("scoring", __name__, url_prefix="/scoring", template_folder="templates", static_folder="static")

from edge.web.scoring import api, pages, pictures  # noqa: E402, F401 - routes need the blueprint above
