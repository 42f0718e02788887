"""Text goes out gzipped to browsers that take it: a first visit over Wi-Fi is a third of what it would be.

Only the pages' own files, the exam page and the paper: on a page that shows what an address says beside a secret,
packing would tell by its length how near a guess came. Files are packed once, and stay known by their ETag.
"""

from __future__ import annotations

import gzip
from typing import Any

from flask import Response, request

LEAST = 500
"""Bytes; smaller ones fit into one packet anyway."""
FILE_LEVEL, LEVEL = 9, 5
_PAGES = ("exam.page", "exam.service_worker", "exam.paper")
_TYPES = ("text/", "application/json", "application/javascript", "image/svg+xml")
_files: dict[tuple[str, str], bytes] = {}


def pack(response: Response) -> Response:
    """An `after_request` hook."""
    if request.method not in ("GET", "HEAD"):
        return response
    endpoint = request.endpoint or ""
    is_file = endpoint.endswith("static")
    if not (is_file or endpoint in _PAGES) or response.status_code not in (200, 304):
        return response
    response.vary.add("Accept-Encoding")
    etag, _ = response.get_etag()
    if etag is not None:  # of the file, in whichever form it was sent
        response.set_etag(etag, weak=True)
    wanted = request.accept_encodings.quality("gzip") > 0 and (response.content_type or "").startswith(_TYPES)
    if response.status_code == 304 or not wanted or (response.content_length or 0) < LEAST:
        return response
    response.direct_passthrough = False
    if is_file and etag is not None:
        data = _file(request.path, etag, response)
    else:
        data = gzip.compress(response.get_data(), LEVEL, mtime=0)
    response.set_data(data)
    response.headers["Content-Encoding"] = "gzip"
    return response


def _file(path: str, etag: str, response: Response) -> bytes:
    found = _files.get((path, etag))
    if found is None:
        found = _files[path, etag] = gzip.compress(response.get_data(), FILE_LEVEL, mtime=0)
    opened: Any = response.response
    if hasattr(opened, "close"):
        opened.close()
    return found
