"""People's names as they were meant: what spreadsheets and telephones put in that nobody sees, and what no name has."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 100
_HAN = "[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_PADDED = re.compile(f"({_HAN}) ({_HAN})")
"""A name of two characters, spaced out to the width of three."""
_REFUSED = ("Cc", "Cs", "Zl", "Zp")


def tidy(text: str) -> str:
    """A name with plain single spaces, none between two Chinese characters that are all of it, and nothing invisible.

    What stands for a character that this release does not know, or a font's own (private use), stays: newer and rarer
    characters of names come so.
    """
    spaced = (" " if unicodedata.category(sign) == "Zs" else sign for sign in text)
    plain = "".join(sign for sign in spaced if unicodedata.category(sign) != "Cf")
    plain = re.sub(" +", " ", plain).strip(" ")
    return plain.replace(" ", "") if _PADDED.fullmatch(plain) else plain


def odd_sign(name: str) -> str | None:
    """The first character that no store, page or printed form can take in a name, as U+000A; None without one."""
    for sign in name:
        code = ord(sign)
        never = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF  # no characters, in Unicode's own words
        if never or unicodedata.category(sign) in _REFUSED:
            return f"U+{code:04X}"
    return None
