"""The OpenAPI documents, each read once a process and by libyaml: several tests are collected from them."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import yaml


@cache
def contract(package: str) -> dict[str, Any]:
    """`openapi.yaml` of `edge.web` or `edge.gateway`; not to be changed."""
    text = (resources.files(package) / "openapi.yaml").read_text("utf-8")
    document: dict[str, Any] = yaml.load(text, yaml.CSafeLoader)
    return document
