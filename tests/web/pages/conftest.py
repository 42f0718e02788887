"""A page of a browser that has the scripts of exam, scoring and spot check, and a room for them in it (room.js)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, send_from_directory
from flask.typing import ResponseReturnValue
from playwright.sync_api import Browser, Page
from werkzeug.serving import make_server

import edge
from edge.ui import init_ui

WEB = Path(edge.__file__).parent / "web"
ROOM = (Path(__file__).parent / "room.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    app = Flask("tablet", static_folder=None)
    init_ui(app)
    app.add_url_rule("/", "shell", lambda: "<!doctype html><title>tablet</title>")

    @app.get("/<any(exam, scoring, spotcheck):area>/static/<path:name>")
    def script(area: str, name: str) -> ResponseReturnValue:
        return send_from_directory(WEB / area / "static", name)

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    context = browser.new_context()
    made = context.new_page()
    made.goto(site)
    made.evaluate("() => {" + ROOM + "}")
    yield made
    context.close()
