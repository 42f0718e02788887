"""The texts of every page in Chinese and English, from `texts/*.toml`: the file is the first half of a key.

`[next]` in exam.toml is `exam.next`. Templates take texts by `t("exam.next")`; scripts get whole areas in a JSON block.
"""

from __future__ import annotations

import tomllib
from importlib import resources

LANGUAGES = ("zh", "en")
Texts = dict[str, dict[str, str]]


def load_texts() -> Texts:
    """{"exam.next": {"zh": .., "en": ..}}. ValueError when an entry lacks a language or says anything else."""
    found: Texts = {}
    for file in sorted((resources.files("edge.ui") / "texts").iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".toml"):
            continue
        area = file.name.removesuffix(".toml")
        for key, entry in tomllib.loads(file.read_text(encoding="utf-8")).items():
            if set(entry) != set(LANGUAGES):
                raise ValueError(f"{file.name}: [{key}] must have exactly zh and en")
            found[f"{area}.{key}"] = entry
    return found


TEXTS: Texts = load_texts()


def text(key: str, language: str, **facts: object) -> str:
    """The text of `key` with its {placeholders} filled in. KeyError for an unknown key, which a test rules out."""
    template = TEXTS[key][language]
    return template.format(**facts) if facts else template


def area_texts(areas: tuple[str, ...], language: str | None = None) -> dict[str, dict[str, str]]:
    """What a page's scripts need: {language: {key: text}} of whole areas, in one language or in both."""
    wanted = LANGUAGES if language is None else (language,)
    return {
        name: {key: entry[name] for key, entry in TEXTS.items() if key.partition(".")[0] in areas} for name in wanted
    }
