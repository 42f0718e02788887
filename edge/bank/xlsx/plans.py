"""Sheets 组卷 and 评分表: blueprints and score sheets as drafts, each field with its cell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from edge.bank.drafts import Draft, Loc
from edge.bank.problems import Fault, Problems
from edge.bank.xlsx import columns as c
from edge.bank.xlsx.sheets import Row

_SEVERAL = {"topics": re.compile(r"[、;；\n]"), "difficulty": re.compile(r"[、;；,，\n]")}
_BAND = re.compile(r"±?\s*([0-9.]+)\s*(扣|得)\s*([0-9]+)\s*分?")
_HEAD = ("title.zh", "title.en", "post", "regime", "level", "minutes", "max_exposure", "rest_sessions")
_PART = ("part.title.zh", "part.title.en", "part.test", "part.minutes")
_OVER = ("over.per_minute", "over.most", "over.end_after", "over.then")
# which columns a row of a score sheet may fill
_ROW_FIELDS = {
    "rubric": {"points", "minutes", *_OVER, "test", "trade.name", "trade.level", "pass", "sample"},
    "step": {"points", "minutes", *_OVER, "source.standard", "source.title", "source.edition", "source.clause"},
    "deduction": {"points"},
    "measure": {"points", "unit", "target", "bands", "beyond", "required"},
    "veto": set(),
}


def blueprints(rows: Iterable[Row], problems: Problems) -> list[Draft]:
    """One draft a 方案编号, in the order of their first rows; a row without it belongs to the row above."""
    drafts: dict[str, Draft] = {}
    current: Draft | None = None
    for row in rows:
        try:
            if row["id"] and (current is None or row["id"] != current.item):
                current = drafts.get(row["id"]) or Draft(row["id"], {"id": row["id"], "parts": []}, row.place)
                drafts[row["id"]] = current
                current.places.setdefault(("id",), row.cell("id"))
            if current is None:
                raise row.fault("id", "bank_field_missing", field="方案编号")
            _head(current, row, problems)
            _draw(current, row, problems)
        except Fault as fault:
            problems.add(fault.where or row.place, row["id"], fault.code, **fault.facts)
    return list(drafts.values())


def _head(draft: Draft, row: Row, problems: Problems) -> None:
    """What stands once a blueprint: filled in again, it has to be the same."""
    for name in _HEAD:
        if row[name]:
            value = _word(row, name, c.REGIMES) if name == "regime" else row[name]
            _once(draft, (), name, value, row, name, problems)
    draft.places.setdefault(("title",), row.cell("title.zh"))


def _draw(draft: Draft, row: Row, problems: Problems) -> None:
    parts: list[dict[str, Any]] = draft.fields["parts"]
    title = row["part.title.zh"]
    if not parts or (title and title != parts[-1]["title"]["zh"]):
        if not title:
            raise row.fault("part.title.zh", "bank_field_missing", field="部分名称")
        parts.append({"title": {"zh": title}, "draw": []})
        at: Loc = ("parts", len(parts) - 1)
        draft.places |= {at: row.place, (*at, "title"): row.cell("part.title.zh"), (*at, "test"): row.cell("part.test")}
    at = ("parts", len(parts) - 1)
    for name in _PART[1:]:
        if row[name]:
            value = _word(row, name, c.TESTS) if name == "part.test" else row[name]
            _once(draft, at, name.removeprefix("part."), value, row, name, problems)
    if not row["type"]:
        raise row.fault("type", "bank_field_missing", field="题型")
    draws = parts[-1]["draw"]
    made: dict[str, Any] = {"type": _word(row, "type", c.KINDS_OF_ITEM)}
    here: Loc = (*at, "draw", len(draws))
    draft.places[here] = row.place
    for name in ("count", "points"):
        draft.places[(*here, name)] = row.cell(name)
        if row[name]:
            made[name] = row[name]
    for name, separators in _SEVERAL.items():
        draft.places[(*here, name)] = row.cell(name)
        if several := [part.strip() for part in separators.split(row[name]) if part.strip()]:
            made[name] = several
    draws.append(made)


def _once(draft: Draft, at: Loc, path: str, value: Any, row: Row, column: str, problems: Problems) -> None:
    holder: Any = draft.fields
    for step in at:
        holder = holder[step]
    *outer, name = path.split(".")
    for step in outer:
        holder = holder.setdefault(step, {})
    draft.places.setdefault((*at, *outer, name), row.cell(column))
    if holder.setdefault(name, value) != value:
        problems.add(row.cell(column), draft.item, "bank_rows_differ", given=row[column][:40], first=str(holder[name]))


def rubrics(rows: Iterable[Row], problems: Problems) -> list[Draft]:
    """One draft a row 评分表; the order of the rows says what belongs to what."""
    drafts: dict[str, Draft] = {}
    current: Draft | None = None
    for row in rows:
        try:
            kind = _kind(row)
            if kind == "rubric":
                if row["id"] in drafts:
                    other = drafts[row["id"]].base
                    current = None
                    raise row.fault("id", "bank_item_twice", other=other)
                current = Draft(row["id"], {"steps": []}, row.place)
                drafts[row["id"]] = current
                current.fields |= _thing(current, (), row, kind)
            elif current is None:
                raise row.fault("row", "bank_row_alone", given=row["row"], needed="评分表")
            else:
                _below(current, row, kind)
        except Fault as fault:
            problems.add(fault.where or row.place, row["id"], fault.code, **fault.facts)
    for draft in drafts.values():
        points = [str(step.get("points", "")) for step in draft.fields["steps"]]
        if all(text.isascii() and text.isdigit() for text in points):
            draft.fields.setdefault("points", sum(map(int, points)))
    return list(drafts.values())


def _kind(row: Row) -> str:
    if not row["row"]:
        raise row.fault("row", "bank_field_missing", field="行")
    kind = str(_word(row, "row", c.SCORE_ROWS))
    for name in ("id", "title.zh"):
        if not row[name]:
            raise row.fault(name, "bank_field_missing", field=row.title(name))
    for column in c.COLUMNS[c.SCORES]:
        if row[column.field] and column.field not in {"row", "id", "title.zh", "title.en", *_ROW_FIELDS[kind]}:
            raise row.fault(column.field, "bank_cell_unused", column=column.title, row=row["row"])
    return kind


def _below(draft: Draft, row: Row, kind: str) -> None:
    steps = draft.fields["steps"]
    if kind in ("deduction", "measure"):
        if not steps:
            raise row.fault("row", "bank_row_alone", given=row["row"], needed="步骤")
        name = f"{kind}s"
        holder: list[Any] = steps[-1].setdefault(name, [])
        at: Loc = ("steps", len(steps) - 1, name, len(holder))
    else:
        name = {"step": "steps", "veto": "vetoes"}[kind]
        holder = draft.fields.setdefault(name, [])
        at = (name, len(holder))
    holder.append(_thing(draft, at, row, kind))


def _thing(draft: Draft, at: Loc, row: Row, kind: str) -> dict[str, Any]:
    made: dict[str, Any] = {"id": row["id"], "title": {"zh": row["title.zh"], "en": row["title.en"]}}
    draft.places |= {at: row.place, (*at, "id"): row.cell("id"), (*at, "title"): row.cell("title.zh")}
    if kind == "step":
        made["deductions"] = []
    for name in sorted(_ROW_FIELDS[kind]):
        path = tuple(name.split("."))
        draft.places[(*at, *path)] = row.cell(name)
        draft.places.setdefault((*at, path[0]), row.cell(name))
        if row[name]:
            holder = made
            for step in path[:-1]:
                holder = holder.setdefault(step, {})
            holder[path[-1]] = _value(draft, at, row, name)
    return made


def _value(draft: Draft, at: Loc, row: Row, name: str) -> Any:
    words: Mapping[str, Mapping[str, Any]] = {
        "over.then": c.ENDS,
        "test": c.SCORE_TESTS,
        "sample": c.YES_NO,
        "required": c.YES_NO,
    }
    if name in words:
        return _word(row, name, words[name])
    if name == "beyond":
        text = row[name].removeprefix("扣").removesuffix("分") if row[name] not in c.ENDS else row[name]
        if text.isascii() and text.isdigit():
            return int(text)
        return _word(row, name, c.ENDS)
    if name != "bands":
        return row[name]
    bands: list[dict[str, Any]] = []
    for piece in (part.strip() for part in re.split(r"[;；\n]", row[name]) if part.strip()):
        found = _BAND.fullmatch(piece)
        if found is None:
            raise row.fault(name, "bank_band_form", given=piece[:40])
        draft.places[(*at, "bands", len(bands))] = row.cell(name)
        bands.append({"within": found[1], "deduct" if found[2] == "扣" else "points": found[3]})
    return bands


def _word(row: Row, field: str, words: Mapping[str, Any]) -> Any:
    if row[field] not in words:
        expected = "、".join(words)
        raise row.fault(field, "bank_field_choice", field=row.title(field), given=row[field][:40], expected=expected)
    return words[row[field]]
