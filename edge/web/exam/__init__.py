"""The candidate's tablet: an HTML shell (`pages`) and the API that serves it (`api`)."""

from flask import Blueprint

bp = Blueprint("exam", __name__, url_prefix="/exam", template_folder="templates", static_folder="static")

from edge.web.exam import api, pages  # noqa: E402, F401 - routes need the blueprint above
