"""The supervisor's spot check: pages, the timeline, clips to look at, evidence to take away, and who may have them."""

from flask import Blueprint

bp = Blueprint("spotcheck", __name__, url_prefix="/spotcheck", template_folder="templates", static_folder="static")

from edge.web.spotcheck import (  # noqa: E402 - routes need the blueprint above
    answers,  # noqa: F401
    certificate,  # noqa: F401
    exporting,  # noqa: F401
    pages,  # noqa: F401
    playing,  # noqa: F401
    sampling,  # noqa: F401
    space,  # noqa: F401
    thumbs,  # noqa: F401
    timeline,  # noqa: F401
    viewing,  # noqa: F401
)
