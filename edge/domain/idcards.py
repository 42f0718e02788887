"""Identity documents by kind: is a number one of that kind, when was its holder born, and what may be mended in it."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

from edge.domain.residentid import check_character

KINDS = (
    "resident-id",
    "hmt-residence",
    "passport",
    "hk-macao-permit",
    "taiwan-permit",
    "foreigner-permit",
)
MINOR_BELOW = 14
"""Below this age a guardian decides about biometric data (PIPL, article 31): no face is processed here."""
OLDEST = 120
_EIGHTEEN = re.compile(r"[1-9][0-9]{16}[0-9X]")
_FORMS = {
    "passport": re.compile(r"(?=.*[0-9])[A-Z0-9]{5,20}"),
    "hk-macao-permit": re.compile(r"[HM]([0-9]{8}|[0-9]{10})"),
    "taiwan-permit": re.compile(r"[0-9]{8}|[0-9]{10}[A-Z]?"),
    "foreigner-permit": re.compile(r"[A-Z]{3}[0-9]{12}"),
}
_EARLIEST = date(1900, 1, 1)
# letters that look like the check character and are no other character of such a number
_LIKE_X = str.maketrans(dict.fromkeys("хХχΧ×", "X"))
_INVISIBLE = ("Cf", "Zs", "Cc")
_SCIENTIFIC = re.compile(r"([0-9])(?:\.([0-9]+))?E\+?([0-9]{1,2})")


def _checked(kind: str, number: str) -> bool:
    """Whether a number of this kind carries the date and check character of GB 11643."""
    return kind in ("resident-id", "hmt-residence") or (kind == "foreigner-permit" and number[:1].isdigit())


def fault(kind: str, number: str) -> str | None:
    """The reason code of what is wrong with a number, capitals and no spaces in it; None for one that holds."""
    if not _checked(kind, number):
        return None if _FORMS[kind].fullmatch(number) else f"document_form_{kind.replace('-', '_')}"
    if kind == "resident-id" and re.fullmatch(r"[0-9]{15}", number):
        return "document_old"
    if not _EIGHTEEN.fullmatch(number):
        return "document_length"
    if kind == "hmt-residence" and number[:2] not in ("81", "82", "83"):
        return "document_form_hmt_residence"
    if kind == "foreigner-permit" and number[0] != "9":
        return "document_form_foreigner_permit"
    if check_character(number[:-1]) != number[-1]:
        return "document_check"
    return None if _date(number[6:14]) is not None else "document_birth"


def born(kind: str, number: str) -> date | None:
    """The day of birth that the number says; None where it says none."""
    # an old foreigner's permit has a year of two digits, which says no century
    return _date(number[6:14]) if _checked(kind, number) and _EIGHTEEN.fullmatch(number) else None


def _date(digits: str) -> date | None:
    try:
        found = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
    return found if found >= _EARLIEST else None


def age(birth: date, on: date) -> int:
    """Full years of age on a day."""
    return on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))


def is_minor(kind: str, number: str, on: date, stated: date | None = None) -> bool:
    """Whether the holder is under fourteen on a day, by the number or else by the `stated` day of birth."""
    birth = born(kind, number) or stated
    return birth is not None and age(birth, on) < MINOR_BELOW


def tidy(text: str) -> str:
    """A number as it was meant: narrow digits and letters, capitals, nothing invisible, no spaces, no leading quote.

    Only what has one reading is changed; what a spreadsheet has rounded stays as it is (see `expanded`).
    """
    narrow = unicodedata.normalize("NFKC", text)
    plain = "".join(letter for letter in narrow if unicodedata.category(letter) not in _INVISIBLE)
    return plain.lstrip("'‘’`").translate(_LIKE_X).upper()


def expanded(text: str) -> str | None:
    """The digits of a `tidy` number in scientific notation, or with ".0" behind it; None where some are lost."""
    if (found := _SCIENTIFIC.fullmatch(text)) is not None:
        whole, fraction, power = found[1], found[2] or "", int(found[3])
        return whole + fraction if power == len(fraction) and power > 0 else None
    return re.sub(r"(?<=[0-9])\.0+$", "", text)
