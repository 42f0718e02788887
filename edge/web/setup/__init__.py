"""Setting tablets up for this room: its certificate authority, its Safe Exam Browser file, and a check. No sign-in."""

from flask import Blueprint

bp = Blueprint("setup", __name__, url_prefix="/setup", template_folder="templates", static_folder="static")

from edge.web.setup import pages  # noqa: E402, F401 - routes need the blueprint above
