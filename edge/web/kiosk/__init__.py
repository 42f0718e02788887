"""The screen by the door: an HTML shell (`pages`) and the API that serves it (`api`)."""

from flask import Blueprint

bp = Blueprint("kiosk", __name__, url_prefix="/kiosk", template_folder="templates", static_folder="static")

from edge.web.kiosk import api, pages  # noqa: E402, F401 - routes need the blueprint above
