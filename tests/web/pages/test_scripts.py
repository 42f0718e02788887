"""The pages' own scripts and styles: old tablets read them, every import leads somewhere, the exam page is small."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from flask import Flask, render_template

import edge
from edge.ui import init_ui
from edge.web.packed import FILE_LEVEL

ROOT = Path(edge.__file__).parent
STATIC = [path for folder in (ROOT / "ui", ROOT / "web") for path in sorted(folder.rglob("static/**/*"))]
SCRIPTS = [path for path in STATIC if path.suffix == ".js"]
STYLES = [path for path in STATIC if path.suffix == ".css"]
PAGES = [path for folder in (ROOT / "ui", ROOT / "web") for path in sorted(folder.rglob("*.html"))]
VERIFIER = sorted((ROOT / "trust" / "verifier" / "page").glob("*.js"))
EXAM_LIMIT, PAPER_AND_HEADERS = 120_000, 40_000

# Newer than Chrome 70, which the tablets of 2018 have.
TOO_NEW_SCRIPT = re.compile(
    r"\?\.[a-zA-Z_\[(]|\?\?|\|\|=|&&=|\.replaceChildren\(|\.replaceAll\(|\.at\(-|structuredClone|randomUUID|"
    r"Object\.fromEntries|Promise\.(allSettled|any)|\.flatMap\(|globalThis|^await |static \{|#\w+ ?[=(]|\.matchAll\(",
    re.MULTILINE,
)
TOO_NEW_STYLE = re.compile(
    r"(?<![-\w])(clamp|min|max)\(|:focus-visible|:is\(|:where\(|:has\(|aspect-ratio|\d(dvh|svh|lvh)|color-mix|(?<![-\w])inset:"
)
FLEX_GAP = re.compile(r"(?<!grid-)(?<!grid-column-)(?<!grid-row-)\bgap:")


@pytest.mark.parametrize("path", [*SCRIPTS, *VERIFIER], ids=lambda p: str(p.relative_to(ROOT)))
def test_scripts_run_on_old_tablets(path: Path) -> None:
    code = re.sub(r"//.*", "", path.read_text(encoding="utf-8"))
    found = TOO_NEW_SCRIPT.search(code)
    assert found is None, found


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_lead_to_what_is_exported(path: Path) -> None:
    code = path.read_text(encoding="utf-8")
    for names, target in re.findall(r'import (\{[^}]*\}|\* as \w+) from "([^"]+)"', code):
        area, _, rest = target.lstrip("/").partition("/static/")
        found = path.parent / target if target.startswith(".") else _folder(area) / "static" / rest
        source = found.read_text(encoding="utf-8")
        if names.startswith("{"):
            for name in (part.strip() for part in names.strip("{}").split(",")):
                assert re.search(rf"export (async )?(function|const|class) {name}\b", source), (name, target)
                assert len(re.findall(rf"\b{name}\b", code)) > 1, f"{name} is imported and not used"


def _folder(area: str) -> Path:
    return ROOT / "ui" if area == "ui" else ROOT / "web" / area


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_button_waits_for_its_script(path: Path) -> None:
    """A press before the script has come would be lost; the kiosk's two are empty, and nobody's, until then."""
    buttons = re.findall(r'<button type="button"[^>]*>', path.read_text(encoding="utf-8"))
    assert [one for one in buttons if "disabled data-script" not in one and path.name != "kiosk.html"] == []


def test_every_script_of_such_a_page_wakes_its_buttons() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if "data-script" in text:
            linked = re.findall(r"url_for\('(\w+)\.static', filename='([^']+\.js)'\)", text)
            scripts = [(_folder(area) / "static" / name).read_text("utf-8") for area, name in linked]
            assert any("wake();" in script for script in scripts), page


@pytest.mark.parametrize("path", STYLES, ids=lambda p: str(p.relative_to(ROOT)))
def test_styles_work_on_old_tablets(path: Path) -> None:
    style = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for pattern in (TOO_NEW_STYLE, FLEX_GAP):
        found = pattern.search(style)
        assert found is None, found


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_pages_carry_nothing_the_policy_forbids(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    assert not re.search(r"\son[a-z]+=", page), "an inline event handler"
    assert not re.search(r"\sstyle=", page), "an inline style"
    assert not re.search(r"https?://", page), "an address outside the room"
    for script in re.findall(r"<script[^>]*>", page):
        assert "src=" in script or 'type="application/json"' in script, script


def _imported(path: Path) -> set[Path]:
    """A script and all it imports at once, the imports of imports too; `import()` on demand is not at once."""
    found, waiting = {path}, [path]
    while waiting:
        here = waiting.pop()
        for target in re.findall(r'^import [^"]*"([^"]+)";', here.read_text(encoding="utf-8"), re.MULTILINE):
            area, _, rest = target.lstrip("/").partition("/static/")
            one = (here.parent / target if target.startswith(".") else _folder(area) / "static" / rest).resolve()
            if one not in found:
                found.add(one)
                waiting.append(one)
    return found


def test_the_exam_page_is_small_up_to_the_first_question_whatever_is_on_the_paper() -> None:
    """All its files, packed as they are sent, without the headers; what comes with a paper is in the browser's test."""
    app = Flask("shell", template_folder=str(ROOT / "web/exam/templates"))
    init_ui(app)
    app.add_url_rule("/exam/static/<path:filename>", "exam.static", lambda filename: "")
    with app.test_request_context("/exam/"):
        shell = render_template("exam/exam.html")
    static = ROOT / "web/exam/static"
    scripts = {found for path in static.rglob("js/**/*.js") for found in _imported(path.resolve())}
    styles = [static / "exam.css", ROOT / "ui/static/base.css", ROOT / "ui/static/mark.svg", static / "sw.js"]
    assert len(shell) > 5_000 and len(scripts) > 20
    files = [shell.encode(), *(path.read_bytes() for path in [*scripts, *styles])]
    assert sum(len(gzip.compress(file, FILE_LEVEL)) for file in files) <= EXAM_LIMIT - PAPER_AND_HEADERS
