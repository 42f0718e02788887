"""Text is sent packed to browsers that take it, stays known by its ETag, and is the same text."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from edge.ui import init_ui
from edge.web import exam
from edge.web.packed import pack

FILE = "/exam/static/js/sitting.js"
SOURCE = (Path(exam.__file__).parent / "static/js/sitting.js").read_bytes()
PACKED = {"Accept-Encoding": "gzip, deflate, br"}


@pytest.fixture(scope="module")
def client() -> Iterator[FlaskClient]:
    app = Flask("packed")
    init_ui(app)
    app.register_blueprint(exam.bp)
    app.after_request(pack)
    yield app.test_client()


def test_a_file_is_packed_for_who_takes_it_and_the_same_for_who_does_not(client: FlaskClient) -> None:
    for _ in range(2):  # made, and made already
        packed = client.get(FILE, headers=PACKED, buffered=True)
        assert packed.headers["Content-Encoding"] == "gzip" and packed.headers["Vary"] == "Accept-Encoding"
        assert int(packed.headers["Content-Length"]) == len(packed.data) < len(SOURCE) / 2
        assert gzip.decompress(packed.data) == SOURCE
    for asked in ({}, {"Accept-Encoding": "br"}, {"Accept-Encoding": "gzip;q=0, br"}):
        plain = client.get(FILE, headers=asked, buffered=True)
        assert "Content-Encoding" not in plain.headers and plain.headers["Vary"] == "Accept-Encoding"
        assert plain.data == SOURCE
    head = client.head(FILE, headers=PACKED, buffered=True)
    assert head.headers["Content-Length"] == packed.headers["Content-Length"] and head.data == b""


def test_a_kept_file_is_not_sent_again(client: FlaskClient) -> None:
    tag = client.get(FILE, headers=PACKED, buffered=True).headers["ETag"]
    for asked in (PACKED, {}):
        again = client.get(FILE, headers={**asked, "If-None-Match": tag}, buffered=True)
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)


def test_only_what_holds_nobodys_secret_beside_an_address_is_packed(client: FlaskClient) -> None:
    page = client.get("/exam/", headers=PACKED, buffered=True)
    assert page.headers["Content-Encoding"] == "gzip" and b"<!doctype html>" in gzip.decompress(page.data)
    assert (
        "Content-Encoding" not in client.get("/ui/static/mark.svg", headers=PACKED, buffered=True).headers
    )  # small as it is
    part = client.get(FILE, headers={**PACKED, "Range": "bytes=0-99"}, buffered=True)
    assert (part.status_code, part.data) == (206, SOURCE[:100])
    assert "Content-Encoding" not in client.get("/exam/static/none.js", headers=PACKED, buffered=True).headers
