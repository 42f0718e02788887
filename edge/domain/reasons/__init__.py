"""The catalogue of reasons: every refusal, alarm and error the product can say, in Chinese and English.

One TOML file an area; each entry is `[code]` with `zh` and `en`, whose `{placeholders}` are the facts of the case.
The code is what the ledger keeps; the sentence is what a person reads.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources

LANGUAGES = ("zh", "en")


@dataclass(frozen=True)
class Reason:
    """One catalogued sentence in both languages."""

    code: str
    zh: str
    en: str

    def sentence(self, language: str, **facts: object) -> str:
        """The sentence with its facts filled in; a missing fact shows as its name rather than failing."""
        template = self.en if language == "en" else self.zh
        return template.format_map(_Facts(facts))


class _Facts(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def _load() -> dict[str, Reason]:
    found: dict[str, Reason] = {}
    for file in sorted(resources.files(__name__).iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".toml"):
            continue
        for code, texts in tomllib.loads(file.read_text(encoding="utf-8")).items():
            if code in found:
                raise ValueError(f"reason {code} stands twice in the catalogue ({file.name})")
            found[code] = Reason(code, texts["zh"], texts["en"])
    return found


REASONS: dict[str, Reason] = _load()


def sentence(code: str, language: str = "zh", **facts: object) -> str:
    """The sentence of `code`; KeyError when the catalogue has no such code, which a test rules out."""
    return REASONS[code].sentence(language, **facts)
