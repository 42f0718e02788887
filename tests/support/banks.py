"""Made-up banks: every type of item, media, translations and cases, for whoever needs any bank at all."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

from hypothesis import strategies as st

from edge.bank.model import BankDocument

# what XML can hold: no control characters but these three, no surrogates
_SIGNS = st.one_of(
    st.sampled_from("安全帽脚手架 　\n\t\r_<>&\"'|=，。½²ＡａA1"),
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"),
)
TEXT = st.text(_SIGNS, min_size=1, max_size=30)
PLAIN = st.text(st.sampled_from("安全帽脚手架立杆横杆ABCabc0123"), min_size=1, max_size=20)
ID = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,12}", fullmatch=True)
SOURCE = {"standard": "JGJ 130-2011", "title": "规范", "edition": "2011", "clause": "6.3.1"}


def png(number: int, width: int = 40, height: int = 30) -> bytes:
    """A real picture, another for each number."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + bytes([number % 256, 0, 0]) * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


MEDIA = {
    "a.png": ("image/png", png(1)),
    "b": ("image/png", png(2)),
    "sound.mp3": ("audio/mpeg", b"ID3\x04\0\0\0\0\0\0"),
    "film.mp4": ("video/mp4", b"\0\0\0\x18ftypisom\0\0\0\0"),
    "m4a-by-another.name": ("audio/mp4", b"\0\0\0\x18ftypisom\0\0\0\1"),
    "drawing.svg": ("image/svg+xml", b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>'),
}
PICTURES = ["a.png", "b", "drawing.svg"]
LANGUAGES = ("en", "bo", "ug", "mn")


def _options(draw: st.DrawFn, text: st.SearchStrategy[str], images: bool = True) -> list[dict[str, Any]]:
    keys = draw(st.lists(st.sampled_from("ABCDEFGH"), min_size=2, max_size=8, unique=True))
    texts = draw(st.lists(text, min_size=len(keys), max_size=len(keys), unique=True))
    image = st.one_of(st.none(), st.sampled_from(PICTURES)) if images else st.none()
    found = []
    for key, words in zip(keys, texts, strict=True):
        option: dict[str, Any] = {"key": key, "text": words}
        if (name := draw(image)) is not None:
            option["image"] = name
        found.append(option)
    return found


def _blank(draw: st.DrawFn, text: st.SearchStrategy[str]) -> dict[str, Any]:
    if draw(st.booleans()):
        accepted = draw(st.lists(text, min_size=1, max_size=3, unique=True))
        return {"kind": "text", "accepted": accepted}
    number = st.decimals(allow_nan=False, allow_infinity=False, min_value=-10_000, max_value=10_000, places=2)
    blank: dict[str, Any] = {"kind": "number", "value": str(draw(number))}
    if draw(st.booleans()):
        blank["tolerance"] = str(abs(draw(number)))
    if draw(st.booleans()):
        blank["units"] = draw(st.lists(st.sampled_from(["mm", "毫米", "kN/m²"]), max_size=3, unique=True))
        if blank["units"] and draw(st.booleans()):
            blank["shown_units"] = ["cm", blank["units"][-1]]
    return blank


def _region(draw: st.DrawFn) -> dict[str, Any]:
    at = st.integers(0, 1000)
    shape = draw(st.sampled_from(["circle", "rect", "poly"]))
    if shape == "circle":
        return {"shape": shape, "coords": [draw(at), draw(at), draw(at)]}
    if shape == "rect":
        x, y = (
            sorted(draw(st.lists(at, min_size=2, max_size=2, unique=True))),
            sorted(draw(st.lists(at, min_size=2, max_size=2, unique=True))),
        )
        return {"shape": shape, "coords": [x[0], y[0], x[1], y[1]]}
    points = draw(st.lists(st.tuples(at, at), min_size=3, max_size=8))
    return {"shape": shape, "coords": [value for point in points for value in point]}


@st.composite
def item_fields(
    draw: st.DrawFn, item_id: str, kind: str, text: st.SearchStrategy[str] = TEXT, test: str | None = None
) -> dict[str, Any]:
    """An item of `kind` as JSON has it."""
    fields: dict[str, Any] = {
        "id": item_id,
        "type": kind,
        "test": test or draw(st.sampled_from(["safety", "theory"])),
        "topic": draw(text),
        "stem": draw(text),
        "difficulty": draw(st.integers(1, 5)),
        "points": draw(st.integers(1, 10)),
        "source": {name: draw(text) for name in SOURCE},
        "template": draw(ID),
        "sample": draw(st.booleans()),
        "posts": draw(st.lists(text, max_size=2)),
        "levels": draw(st.lists(st.sampled_from(["五级", "四级"]), max_size=2)),
        "regimes": draw(st.lists(st.sampled_from(["skilled-worker", "site-professional"]), max_size=2)),
        "exposure": draw(st.integers(0, 500)),
        "local": draw(st.booleans()),
    }
    rule = st.sampled_from(["policy", "all-or-nothing", "partial"])
    if kind in ("judgement", "single", "multiple"):
        fields["options"] = _options(draw, text)
        keys = [option["key"] for option in fields["options"]]
        least, most = (2, len(keys)) if kind == "multiple" else (1, 1)
        fields["answer"] = draw(st.lists(st.sampled_from(keys), min_size=least, max_size=most, unique=True))
        fields["rule"] = draw(rule)
    elif kind == "fill":
        count = draw(st.integers(1, 4))
        between = st.text(st.sampled_from("是的 \n毫米"), max_size=5)
        fields["stem"] = draw(text).replace("_", "") + "".join("____" + draw(between) for _ in range(count))
        fields["blanks"] = [_blank(draw, text) for _ in range(count)]
        fields["rule"] = draw(rule)
    elif kind == "order":
        fields["options"] = _options(draw, text)
        fields["answer"] = draw(st.permutations([option["key"] for option in fields["options"]]))
    elif kind == "match":
        fields["options"] = _options(draw, text)
        lefts = draw(st.lists(st.sampled_from("12345678"), min_size=2, max_size=8, unique=True))
        fields["left"] = [{"key": key, "text": draw(text)} for key in lefts]
        keys = [option["key"] for option in fields["options"]]
        fields["answer"] = {left: draw(st.sampled_from(keys)) for left in lefts}
        fields["rule"] = draw(rule)
    elif kind == "hotspot":
        fields |= {"image": draw(st.sampled_from(PICTURES)), "aspect": draw(st.integers(100, 10_000))}
        fields["regions"] = [_region(draw) for _ in range(draw(st.integers(1, 3)))]
        fields["rule"] = draw(rule)
    else:
        kinds = draw(
            st.lists(st.sampled_from(["judgement", "multiple", "fill", "order", "match"]), min_size=2, max_size=3)
        )
        fields["items"] = [
            draw(item_fields(f"{item_id}.{number}", sub, text, fields["test"]))
            for number, sub in enumerate(kinds, start=1)
        ]
        fields["points"] = sum(sub["points"] for sub in fields["items"])
    names = draw(st.lists(st.sampled_from(list(MEDIA)), max_size=2, unique=True))
    fields["media"] = [{"name": name, "alt": draw(text)} for name in names]
    fields["translations"] = {
        language: {
            "stem": draw(text),
            "options": {option["key"]: draw(text) for option in fields.get("options", ())},
            "left": {left["key"]: draw(text) for left in fields.get("left", ())},
        }
        for language in draw(st.lists(st.sampled_from(LANGUAGES), max_size=2, unique=True))
    }
    return fields


KINDS = ("judgement", "single", "multiple", "fill", "order", "match", "hotspot", "case")


@st.composite
def banks(draw: st.DrawFn, text: st.SearchStrategy[str] = TEXT) -> BankDocument:
    """A bank with a few items of any type and all of MEDIA."""
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=3))
    return BankDocument.model_validate(
        {
            "bank": draw(ID),
            "title": {"zh": draw(text), "en": draw(st.one_of(st.just(""), text))},
            "sample": draw(st.booleans()),
            "items": [draw(item_fields(f"{n}x", kind, text)) for n, kind in enumerate(kinds, start=1)],
            "media": {
                name: {"type": kind, "data": base64.b64encode(content).decode()}
                for name, (kind, content) in MEDIA.items()
            },
        }
    )
