"""What other people's code says of bad input, in our own words: one table for pydantic's kinds of error, one for the
operating system's, and the parsers of JSON, TOML and text.

Nothing that pydantic, a parser or the system says itself goes into a sentence: it is English, and may quote what stands
there. The words are in `domain/reasons/input.toml`; the original goes on as the cause, for a log.
"""

from __future__ import annotations

import binascii
import errno
import json
import os
import re
import sqlite3
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from edge.domain.reasons import REASONS, Words, words
from edge.errors import BadInput, ExamroomError, Unavailable, Wrong, Wrongs

# pydantic's kinds of error -> ours, which is a code `input_*` here and `bank_field_*` in a bank's import
KINDS = {
    "missing": "missing",
    "union_tag_not_found": "missing",
    "extra_forbidden": "unknown",
    "string_too_short": "empty",
    "string_too_long": "long",
    "string_pattern_mismatch": "form",
    "literal_error": "choice",
    "enum": "choice",
    "union_tag_invalid": "choice",
    "bool_type": "truth",
    "bool_parsing": "truth",
    "greater_than": "range",
    "greater_than_equal": "range",
    "less_than": "range",
    "less_than_equal": "range",
    "int_type": "whole",
    "int_parsing": "whole",
    "int_from_float": "whole",
    "int_parsing_size": "size",
    "float_type": "number",
    "float_parsing": "number",
    "decimal_type": "number",
    "decimal_parsing": "number",
    "finite_number": "number",
    "string_type": "text",
    "string_unicode": "character",
    "bytes_type": "text",
    "path_type": "path",
    "list_type": "list",
    "tuple_type": "list",
    "set_type": "list",
    "dict_type": "object",
    "model_type": "object",
    "model_attributes_type": "object",
    "none_required": "none",
    "too_short": "few",
    "too_long": "many",
    "recursion_loop": "nested",
}
_SIGNS = {"greater_than_equal": "≥", "less_than_equal": "≤", "greater_than": ">", "less_than": "<"}
# patterns that people can be told in words
_FORMS = {
    r"^[A-Z0-9]{4,32}$": "badge",
    r"^[A-Z0-9-]{1,8}$": "seat",
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$": "id",
    r"\S": "words",
    r"^[^\r\n\t]*\S[^\r\n\t]*$": "line",
    r"^\S(.*\S)?$": "document",
    r"^[a-z][a-z0-9-]{0,30}$": "name",
    r"^[A-Za-z0-9-]{8,64}$": "operation",
    r"^[0-9]{6}$": "seat_code",
    r"^\$argon2id\$": "pin_hash",
    r"^[0-9a-f]{64}$": "hash",
    r"^[A-Za-z0-9+/]{86}==$": "base64",
}
_OS = {number: f"os_{name}" for number, name in errno.errorcode.items() if f"os_{name}" in REASONS}
# a wrong argument, and a machine that will not; anything else is a fault of ours
_ARGUMENT = {errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG}
_MACHINE = {errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE}
_AT = re.compile(r"line (\d+),? column (\d+)")


def why(error: BaseException) -> Words:
    """What is wrong, in words: of an error of pydantic's, a parser's, the system's, a database's or our own."""
    if isinstance(error, ExamroomError | Wrong):
        return error.words
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return words("input_at", where=place(first), detail=detail(first)) if first["loc"] else detail(first)
    if isinstance(error, json.JSONDecodeError):
        return words("input_json", line=error.lineno, column=error.colno)
    if isinstance(error, tomllib.TOMLDecodeError):
        return _placed("toml", str(error))
    if isinstance(error, UnicodeDecodeError):
        return words("input_encoding", at=error.start + 1)
    if isinstance(error, OSError):
        return of_os(error)
    if isinstance(error, sqlite3.Error):
        return _of_sqlite(error)
    return words(_PLAIN.get(type(error), "why_unknown"), kind=type(error).__name__)


_PLAIN: dict[type, str] = {
    UnicodeEncodeError: "input_character",
    RecursionError: "input_nested",
    OverflowError: "input_size",
    ValueError: "input_unreadable",
    binascii.Error: "input_base64",
}


def where(error: BaseException) -> dict[str, object]:
    """The first problem of a failed check as facts for a sentence: `where` (a path, "-" for the whole) and `detail`."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return {"where": place(first), "detail": detail(first)}
    return {"where": "-", "detail": why(error)}


@dataclass(frozen=True)
class Found:
    """One problem of a failed check: its place (as `place` gives it), what it is, and the check of our own it is of."""

    where: str
    detail: Words
    own: Wrong | None


def every(error: BaseException) -> list[Found]:
    """All problems of a failed check, in the order of the document; of what is no document at all the one."""
    if not isinstance(error, ValidationError):
        return [Found("-", why(error), None)]
    found: list[Found] = []
    for one in error.errors(include_url=False):
        ours = one.get("ctx", {}).get("error")
        if isinstance(ours, Wrongs):
            found += [Found(str(each.facts.get("at", place(one))), each.words, each) for each in ours.found]
        else:
            found.append(Found(place(one), detail(one), ours if isinstance(ours, Wrong) else None))
    return found


def place(error: Mapping[str, Any]) -> str:
    """Where one of pydantic's errors is: keys and numbers with dots between, "-" for the whole.

    A check of the whole that knows the place better says it as its fact `at`.
    """
    own = error.get("ctx", {}).get("error")
    if isinstance(own, Wrong) and "at" in own.facts:
        return str(own.facts["at"])
    return ".".join(str(part) for part in error["loc"])[:200] or "-"


def detail(error: Mapping[str, Any]) -> Words:
    """One of pydantic's errors in words, without its place."""
    kind, context = str(error["type"]), error.get("ctx", {})
    own = context.get("error")
    if isinstance(own, Wrong):
        return own.words
    if kind == "json_invalid":
        return _placed("json", str(own))
    known = KINDS.get(kind)
    form = _FORMS.get(str(context.get("pattern"))) if known == "form" else None
    code = f"input_form_{form}" if form else f"input_{known or 'other'}"
    return words(code, kind=kind, **limits(error))


def limits(error: Mapping[str, Any]) -> dict[str, object]:
    """What was asked of a value: `bound`, `least`, `most`, `expected` and `pattern`, each empty where it was not."""
    context = error.get("ctx", {})
    limit = next((context[name] for name in ("ge", "le", "gt", "lt") if name in context), "")
    given = str(context.get("expected") or context.get("expected_tags") or "true, false").replace(" or ", ", ")
    return {
        "bound": f"{_SIGNS.get(str(error['type']), '')} {limit}".strip(),
        "least": context.get("min_length", ""),
        "most": context.get("max_length", ""),
        "expected": {"zh": given.replace(", ", "、"), "en": given},
        "pattern": context.get("pattern", ""),
    }


def of_os(error: OSError) -> Words:
    """Why the system refused."""
    name = errno.errorcode.get(error.errno or 0, type(error).__name__)
    return words(_OS.get(error.errno or 0, "os_other"), name=name)


def file_error(error: OSError) -> ExamroomError | None:
    """The sentence for a file or disk that fails; None for what is no file's failure."""
    if error.errno not in _ARGUMENT | _MACHINE:
        return None
    kind = BadInput if error.errno in _ARGUMENT else Unavailable
    if not isinstance(error.filename, (str, bytes)):  # a write to what is open already names no file
        return kind("disk_failed", detail=why(error))
    return kind("file_failed", path=os.fsdecode(error.filename), detail=why(error))


def _of_sqlite(error: sqlite3.Error) -> Words:
    name = str(getattr(error, "sqlite_errorname", "") or type(error).__name__).removeprefix("SQLITE_")
    code = f"db_{name.split('_')[0]}"
    return words(code if code in REASONS else "db_other", name=name)


def _placed(kind: str, said: str) -> Words:
    """A parser tells its place in its own sentence alone."""
    found = _AT.search(said)
    if found is None:
        return words(f"input_not_{kind}")
    return words(f"input_{kind}", line=found[1], column=found[2])
