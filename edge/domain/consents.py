"""What a person is asked to agree to: the notice of the moment, its versions, and the purposes one by one.

The sentences stand in `notices/VERSION.toml`, Chinese and English; a version that has been shown to anybody is never
edited, and a test holds each to its hash. Facts of the session ({institution}, {days} ...) are filled in when shown;
the hash is of the sentences without them, so that it says which notice it was, in any room.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from edge.domain.canonical import canonical

VERSION = "2026-1"
"""The notice that is shown now. Another version asks everybody again."""

ONE_TO_ONE = "face_1to1"
"""Compare with the photograph that the badge names."""
SEARCH = "face_1toN"
"""Look for a face among all of the session, for those who come without a badge."""
DUPLICATES = "face_duplicates"
"""Look whether one face stands in the roster, or has entered, under two names."""
STILL = "face_still"
"""Keep one picture of the check-in as evidence."""
PURPOSES = (ONE_TO_ONE, SEARCH, DUPLICATES, STILL)
_BY_POLICY = {SEARCH: "search", DUPLICATES: "duplicates", STILL: "keep_still"}


@dataclass(frozen=True)
class Notice:
    """`sections`: (key, {"zh": (head, text), "en": (head, text)}); placeholders of the session not filled in."""

    version: str
    sections: tuple[tuple[str, dict[str, tuple[str, str]]], ...]
    sha256: str

    def shown(self, language: str, purposes: tuple[str, ...] = (), **facts: object) -> list[dict[str, str]]:
        """The sections in one language for what is asked: {"key", "head", "text"}. Those of a purpose only with it."""
        wanted = [key for key, _ in self.sections if key not in PURPOSES or key in purposes]
        texts = dict(self.sections)
        return [
            {"key": key, "head": texts[key][language][0], "text": texts[key][language][1].format_map(facts)}
            for key in wanted
        ]


@cache
def notice(version: str = VERSION) -> Notice:
    """A notice by its version. KeyError for one this release does not know."""
    file = resources.files("edge.domain").joinpath("notices", f"{version}.toml")
    if version not in versions():
        raise KeyError(version)
    document: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    sections = tuple(
        (key, {lang: (part[f"head_{lang}"], part[lang]) for lang in ("zh", "en")}) for key, part in document.items()
    )
    return Notice(version, sections, hashlib.sha256(canonical([version, document])).hexdigest())


@cache
def versions() -> tuple[str, ...]:
    """Every notice this release knows, also those that are shown no more."""
    folder = resources.files("edge.domain").joinpath("notices")
    return tuple(sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")))


def purposes_asked(face_policy: dict[str, Any]) -> tuple[str, ...]:
    """What the kiosk asks for under a session's policy: comparing always, the others where signed policy has them."""
    return (ONE_TO_ONE, *(purpose for purpose, name in _BY_POLICY.items() if face_policy.get(name) is True))


def stands(given: bool | None, version: str, current: str = VERSION) -> bool | None:
    """A recorded answer as it counts now: a refusal for good, an agreement under the notice it was given to only."""
    return None if given and version != current else given
