"""Blueprints and score sheets as rows of the sheets 组卷 and 评分表; `plans.py` reads them back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from edge.bank.model import Blueprint, Rubric
from edge.bank.xlsx import columns as c
from edge.errors import Wrong

Line = dict[str, str]
_SEPARATORS = re.compile(r"[、;；\n]")


def blueprint_rows(blueprint: Blueprint) -> list[Line]:
    """A row a draw; what holds for more of them stands in the first. ValueError for what the sheet has no place for."""
    document = blueprint.model_dump(mode="json", exclude_defaults=True)
    lines: list[Line] = []
    before = None
    for part in document["parts"]:
        if part["title"]["zh"] == before:
            raise Wrong("check_titles_alike", given=before)
        before = part["title"]["zh"]
        head = {f"part.{name}": text for name, text in _flat(part, ("title", "minutes")).items()}
        head["part.test"] = _word(c.TESTS, part["test"])
        for draw in part["draw"]:
            line = head | {"type": _word(c.KINDS_OF_ITEM, draw["type"])} | _flat(draw, ("count", "points"))
            for name in ("topics", "difficulty"):
                line[name] = "；".join(_safe([str(one) for one in draw.get(name, ())]))
            lines.append(line)
            head = {}
    names = ("id", "title", "post", "level", "minutes", "max_exposure", "rest_sessions")
    lines[0] |= _flat(document, names) | {"regime": _word(c.REGIMES, document["regime"])}
    return lines


def rubric_rows(rubric: Rubric) -> list[Line]:
    """The sheet's own row, then its steps, each with what is below it, then the vetoes."""
    document = rubric.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    lines = [_row("评分表", document, ("points", "minutes", "over", "trade", "pass"))]
    lines[0]["test"] = _word(c.SCORE_TESTS, document.get("test", "practical"))
    lines[0]["sample"] = "是" if document.get("sample") else ""
    for step in document["steps"]:
        lines.append(_row("步骤", step, ("points", "minutes", "over", "source")))
        lines += [_row("扣分", one, ("points",)) for one in step["deductions"]]
        lines += [_measure(one) for one in step.get("measures", ())]
    return lines + [_row("否决", one, ()) for one in document.get("vetoes", ())]


def _measure(measure: Mapping[str, Any]) -> Line:
    line = _row("实测", measure, ("points", "unit", "target"))
    bands = [
        f"{band['within']} " + (f"扣{band['deduct']}" if "deduct" in band else f"得{band['points']}")
        for band in measure["bands"]
    ]
    beyond = measure.get("beyond", "zero")
    return line | {
        "bands": "；".join(bands),
        "beyond": str(beyond) if isinstance(beyond, int) else _word(c.ENDS, beyond),
        "required": "是" if measure.get("required", True) else "否",
    }


def _row(kind: str, fields: Mapping[str, Any], names: Sequence[str]) -> Line:
    line = {"row": kind} | _flat(fields, ("id", "title", *names))
    if fields.get("over") == {}:  # one that costs nothing is another thing than none
        line["over.per_minute"] = "0"
    if "over.then" in line:
        line["over.then"] = _word(c.ENDS, line["over.then"])
    return line


def _flat(fields: Mapping[str, Any], names: Sequence[str]) -> Line:
    line: Line = {}
    for name in names:
        value = fields.get(name)
        if isinstance(value, Mapping):
            line |= {f"{name}.{key}": str(one) for key, one in value.items()}
        elif value is not None:
            line[name] = str(value)
    return line


def _safe(values: list[str]) -> list[str]:
    if bad := [value for value in values if _SEPARATORS.search(value)]:
        raise Wrong("check_separator", given=bad[0], signs="、;；")
    return values


def _word(names: Mapping[str, object], value: object) -> str:
    return next(word for word, known in names.items() if known == value)
