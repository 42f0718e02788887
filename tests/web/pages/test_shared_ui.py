"""What every application gets from edge.ui: language, error pages, headers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from werkzeug.exceptions import RequestEntityTooLarge

from edge.errors import ExamroomError, NotFound, NotSignedIn, Refused, Unavailable
from edge.ui import error_response, init_ui, language

ERRORS: dict[str, Exception] = {
    "401": NotSignedIn("not_signed_in"),
    "403": Refused("role_wrong", role="proctor"),
    "404": NotFound("page_missing"),
    "413": RequestEntityTooLarge(),
    "503": Unavailable("journal_slow"),
    "500": RuntimeError("the secret /srv/path"),
}


@pytest.fixture
def client() -> Iterator[FlaskClient]:
    app = Flask("small")
    init_ui(app)
    app.register_error_handler(Exception, lambda error: error_response(error, language()))

    def fail(code: str) -> Response:
        raise ERRORS[code]

    app.add_url_rule("/page/<code>", "page", fail)
    app.add_url_rule("/x/api/<code>", "api", fail, methods=["GET", "POST"])
    app.add_url_rule("/lang", "lang", language)
    with app.test_client() as made:
        yield made


@pytest.mark.parametrize("code", sorted(ERRORS))
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_an_error_is_a_page_in_both_languages(client: FlaskClient, code: str, lang: str) -> None:
    answer = client.get(f"/page/{code}?lang={lang}")
    assert answer.status_code == int(code)
    page = answer.get_data(as_text=True)
    error = ERRORS[code]
    if isinstance(error, ExamroomError):
        first, second = error.sentence(lang), error.sentence("en" if lang == "zh" else "zh")
        assert page.index(f"<h1>{first}</h1>") < page.index(second)
    assert ('lang="zh-CN"' if lang == "zh" else 'lang="en"') in page[:200]
    assert "/srv/path" not in page


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_a_script_gets_json(client: FlaskClient, code: str) -> None:
    answer = client.get(f"/x/api/{code}")
    assert answer.status_code == int(code)
    assert set(answer.get_json()) == {"error", "zh", "en"}
    assert "/srv/path" not in answer.get_data(as_text=True)


def test_a_script_that_asks_for_json_gets_it_anywhere(client: FlaskClient) -> None:
    answer = client.get("/page/404", headers={"Accept": "application/json"})
    assert answer.get_json()["error"] == "page_missing"


def test_a_markup_in_a_fact_stays_text(client: FlaskClient) -> None:
    ERRORS["403"] = Refused("role_wrong", role="<script>x</script>")
    assert "<script>x" not in client.get("/page/403").get_data(as_text=True)


def test_unknown_pages_and_methods_have_sentences(client: FlaskClient) -> None:
    assert client.get("/nowhere").status_code == 404
    assert client.post("/lang").status_code == 405
    assert client.post("/x/api/404").get_json()["error"] == "page_missing"


def test_language_by_address_then_cookie_then_chinese(client: FlaskClient) -> None:
    assert client.get("/lang").text == "zh"
    assert client.get("/lang?lang=en").text == "en"
    assert client.get("/lang").text == "en"
    assert client.get("/lang?lang=xx").text == "en"
    assert client.get("/lang?lang=zh").text == "zh"


def test_headers(client: FlaskClient) -> None:
    page = client.get("/lang")
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert page.headers["Cache-Control"] == "no-store"
    static = client.get("/ui/static/base.css")
    assert static.status_code == 200
    assert "no-store" not in static.headers["Cache-Control"]
    static.close()


def test_the_language_switch_keeps_the_other_arguments(client: FlaskClient) -> None:
    page = client.get("/page/404?next=/console/").get_data(as_text=True)
    assert "next=/console/&amp;lang=en" in page
