"""Reading request bodies: a pydantic model, or one clear sentence."""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache
from typing import TypeVar

from flask import request
from pydantic import BaseModel, ConfigDict, ValidationError

from edge.errors import BadInput, Refused
from edge.why import where

M = TypeVar("M", bound=BaseModel)
SHORT = 16 * 1024


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


def read(model: type[M]) -> M:
    """The JSON body as `model`. BadInput names the field that is wrong."""
    try:
        return model.model_validate_json(_raw())
    except ValidationError as error:
        raise BadInput("body_wrong", **where(error)) from error


def _raw() -> bytes:
    """The body. One of declared and bearable length comes straight from the server, whose reader ends with it."""
    length = request.environ.get("CONTENT_LENGTH", "")
    if not length.isdecimal() or int(length) > SHORT:
        return request.get_data(cache=False)  # chunked or long: Flask's own limits apply
    body: bytes = request.environ["wsgi.input"].read(int(length))
    return body


@lru_cache(maxsize=1024)
def csrf_of(secret: str) -> str:
    """The token a page must send back with every change, tied to its cookie."""
    return hashlib.sha256(b"examroom csrf\n" + secret.encode()).hexdigest()[:32]


def check_csrf(secret: str) -> None:
    given = request.environ.get("HTTP_X_CSRF") or request.form.get("csrf", "")
    if not hmac.compare_digest(given.encode(), csrf_of(secret).encode()):
        raise Refused("csrf_wrong")
