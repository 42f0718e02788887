"""The texts of the pages: both languages, the same placeholders, nothing missing, nothing left over."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import edge
from edge.ui.catalogue import TEXTS, area_texts, text

ROOT = Path(edge.__file__).parent
SOURCES = [
    path
    for folder in (ROOT / "ui", ROOT / "web")
    for path in sorted(folder.rglob("*"))
    if path.suffix in (".html", ".js", ".py")
] + [ROOT / "exam" / "ticket_commands.py"]
# t("area.key"...), or a quoted key kept for a t() elsewhere ("exam.type_single" in a table); and t("area.prefix_" + x)
QUOTED = re.compile(r"""["']([a-z]+\.[a-z0-9_]+)["'](\s*[+~])?""")
AREAS = {key.partition(".")[0] for key in TEXTS}


def _used() -> tuple[set[str], set[str]]:
    """Whole keys and prefixes that templates and scripts ask for."""
    whole: set[str] = set()
    prefixes: set[str] = set()
    for path in SOURCES:
        for key, joined in QUOTED.findall(path.read_text(encoding="utf-8")):
            if key.partition(".")[0] in AREAS:
                (prefixes if joined and key.endswith("_") else whole).add(key)
    return whole, prefixes


def _fields(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def test_every_text_stands_in_both_languages_with_the_same_placeholders() -> None:
    for key, entry in TEXTS.items():
        assert entry["zh"].strip(), key
        assert entry["en"].strip(), key
        assert _fields(entry["zh"]) == _fields(entry["en"]), key


def test_every_text_asked_for_exists() -> None:
    whole, prefixes = _used()
    files = {"exam.static", "exam.page", "kiosk.static", "console.static", "scoring.static", "spotcheck.static"}
    files |= {
        "exam.paper",
        "exam.service_worker",
        "staff.static",
        "staff.home",
        "staff.login",
        "staff.name",
        "staff.role",
        "setup.static",
    }
    missing = {key for key in whole if key not in TEXTS} - files
    assert not {key for key in missing if not key.endswith((".css", ".js", ".html", ".seb"))}
    for prefix in prefixes:
        assert any(key.startswith(prefix) for key in TEXTS), prefix


def test_every_text_is_asked_for() -> None:
    whole, prefixes = _used()
    unused = {key for key in TEXTS if key not in whole and not key.startswith(tuple(prefixes))}
    assert not unused


def test_chinese_texts_are_chinese() -> None:
    latin = {"exam.other_language", "kiosk.other_language", "staff.pin", "console.answered"}
    for key, entry in TEXTS.items():
        if key not in latin and not re.fullmatch(r"[\W\d{}a-z]*", entry["zh"]):
            assert re.search(r"[\u4e00-\u9fff]", entry["zh"]), key
        if key not in latin:
            assert not re.search(r"[\u4e00-\u9fff]", entry["en"]), key


def test_facts_are_filled_in() -> None:
    assert text("common.planned_at", "en", time="9:00") == "Planned 9:00"
    assert set(area_texts(("kiosk",), "zh")) == {"zh"}
    both = area_texts(("kiosk", "common"))
    assert set(both["zh"]) == set(both["en"]) == {key for key in TEXTS if key.startswith(("kiosk.", "common."))}
