"""The catalogue of reasons: every refusal, alarm and error the product can say, in Chinese and English.

One TOML file an area; each entry is `[code]` with `zh` and `en`, whose `{placeholders}` are the facts of the case.
The code is what the ledger keeps; the sentence is what a person reads.

A fact is a number, a name, or words of this catalogue in both languages (`words`): each sentence takes its own.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

LANGUAGES = ("zh", "en")
Words = dict[str, str]
"""A fact that is said in words: {"zh": .., "en": ..}."""


@dataclass(frozen=True)
class Reason:
    """One catalogued sentence in both languages."""

    code: str
    zh: str
    en: str

    def sentence(self, language: str, **facts: object) -> str:
        """The sentence with its facts filled in; a missing fact shows as its name rather than failing."""
        template = self.en if language == "en" else self.zh
        taken = "en" if language == "en" else "zh"
        return template.format_map(_Facts({name: _in(fact, taken) for name, fact in facts.items()}))


class _Facts(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def _in(fact: object, language: str) -> object:
    return fact[language] if is_words(fact) and isinstance(fact, Mapping) else fact


def is_words(fact: object) -> bool:
    """Whether a fact is words in both languages."""
    return isinstance(fact, Mapping) and fact.keys() == {"zh", "en"}


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


def words(code: str, /, **facts: object) -> Words:
    """{"zh": .., "en": ..} of `code` for a fact of another sentence: without its full stop. JSON takes it as it is."""
    return {language: bare(sentence(code, language, **facts)) for language in LANGUAGES}


def bare(text: str) -> str:
    """A sentence without its full stop, to stand inside another."""
    return text.removesuffix("。").removesuffix(".")
