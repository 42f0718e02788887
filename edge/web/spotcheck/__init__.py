"""The supervisor's spot check: pages, the timeline, clips to look at, evidence to take away, and who may have them."""

from flask import Blueprint

bp = Blueprint("spotcheck", __name__, url_prefix="/spotcheck", template_folder="templates", static_folder="static")

from edge.web.spotcheck import exporting, pages, playing, sampling, space, timeline, viewing  # noqa: E402, F401 - routes need the blueprint above
