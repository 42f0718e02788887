"""The workbook: an empty template with its drop-downs, or one that holds a bank."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import IllegalCharacterError
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from edge.bank.build import item_fields
from edge.bank.model import BankDocument
from edge.bank.xlsx import columns as c
from edge.bank.xlsx.plan_rows import blueprint_rows, rubric_rows
from edge.domain.reasons import words
from edge.errors import BadInput, Wrong

ROWS = 50_000
TEXT = "@"
# no XML document can hold these signs
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
Fields = Mapping[str, Any]


def template() -> bytes:
    """The empty workbook."""
    return _bytes(_book({"题库编号": "", "题库名称": "", "英文名称": "", "样题": "", "已计场次": ""}, {}))


def workbook_of(bank: BankDocument) -> bytes:
    """`bank` as a workbook; media stay files of their own. BadInput names an item that the template cannot hold."""
    rows: dict[str, list[dict[str, str]]] = {}
    for item in bank.items:
        own: dict[str, list[dict[str, str]]] = {}
        try:
            _item_rows(item_fields(item), own)
            for sheet, lines in own.items():
                if _UNWRITABLE.search("".join(text for line in lines for text in line.values())):
                    raise Wrong("check_control")
                rows.setdefault(sheet, []).extend(lines)
        except Wrong as error:
            raise BadInput("bank_not_sheet", item=item.id, detail=error.words) from error
    for blueprint in bank.blueprints:
        try:
            rows.setdefault(c.PLANS, []).extend(blueprint_rows(blueprint))
        except Wrong as error:
            raise BadInput("bank_not_sheet", item=blueprint.id, detail=error.words) from error
    for rubric in bank.rubrics:
        rows.setdefault(c.SCORES, []).extend(rubric_rows(rubric))
    sample = "是" if bank.sample else ""
    counted = "；".join(f"{pair.room}/{pair.session}" for pair in bank.counted)
    head = {"题库编号": bank.bank, "题库名称": bank.title.zh, "英文名称": bank.title.en, "样题": sample}
    head["已计场次"] = counted
    try:
        return _bytes(_book(head, rows))
    # the second is lxml's, for a sign that XML has no way to write
    except (IllegalCharacterError, ValueError) as error:
        raise BadInput("bank_not_sheet", item="-", detail=words("check_control")) from error


def _bytes(book: Workbook) -> bytes:
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _book(head: Mapping[str, str], rows: Mapping[str, list[dict[str, str]]]) -> Workbook:
    book = Workbook()
    if (first := book.active) is not None:
        book.remove(first)
    _notes(book.create_sheet(c.NOTES))
    bank = book.create_sheet(c.BANK)
    for title, value in head.items():
        bank.append((title, ""))
        _put(bank, bank.max_row, 2, value)
    bank.column_dimensions["A"].width, bank.column_dimensions["B"].width = 16, 60
    bank.column_dimensions["B"].number_format = TEXT
    _choices(bank, "B4", tuple(c.YES_NO), False)
    for name, titles in c.COLUMNS.items():
        sheet = book.create_sheet(name)
        sheet.append([column.title for column in titles])
        sheet.freeze_panes = "B2"
        for at, column in enumerate(titles, start=1):
            letter = get_column_letter(at)
            sheet.column_dimensions[letter].width = column.width
            sheet.column_dimensions[letter].number_format = TEXT  # what is typed into an empty cell stays as it is
            cell = sheet.cell(1, at)
            cell.font, cell.fill = Font(bold=True), PatternFill("solid", fgColor="DDE6F0")
            if column.choices:
                _choices(sheet, f"{letter}2:{letter}{ROWS}", column.choices, column.several)
        places = {column.field: at for at, column in enumerate(titles, start=1)}
        for number, row in enumerate(rows.get(name, ()), start=2):
            for field, value in row.items():
                if value != "":
                    _put(sheet, number, places[field], value)
    return book


def _put(sheet: Worksheet, row: int, column: int, value: str) -> None:
    cell = sheet.cell(row, column, value)
    cell.data_type = "s"  # words that begin with = are no formula
    cell.number_format = TEXT


def _choices(sheet: Worksheet, cells: str, choices: tuple[str, ...], several: bool) -> None:
    rule = DataValidation(type="list", formula1='"' + ",".join(choices) + '"', allow_blank=True)
    rule.showErrorMessage = not several  # where several values may stand, the list only helps
    rule.error, rule.errorTitle = "请从下拉列表中选择 / choose from the list", "题库 / bank"
    sheet.add_data_validation(rule)
    rule.add(cells)


def _notes(sheet: Worksheet) -> None:
    """What every column means, in both languages."""
    sheet.append(("工作表 / Sheet", "列 / Column", "说明", "Meaning", "可选 / Choices"))
    for title, (_, zh, en) in c.BANK_ROWS.items():
        sheet.append((c.BANK, title, zh, en, ""))
    for name, titles in c.COLUMNS.items():
        for column in titles:
            sheet.append((name, column.title, column.zh, column.en, "、".join(column.choices)))
    for letter, width in zip("ABCDE", (14, 14, 60, 60, 40), strict=True):
        sheet.column_dimensions[letter].width = width
        sheet[f"{letter}1"].font = Font(bold=True)
    for row in sheet.iter_rows(min_row=2, min_col=3, max_col=4):
        for cell in row:
            cell.alignment = Alignment(wrap_text=True, vertical="top")
    sheet.freeze_panes = "A2"


def _word(names: Mapping[str, object], value: object) -> str:
    return next(word for word, known in names.items() if known == value)


def _item_rows(item: Fields, rows: dict[str, list[dict[str, str]]], case: str = "") -> None:
    """The rows of `item` in their sheets. ValueError says what the template has no place for."""
    kind = item["type"]
    row = {"id": item["id"], "stem": item["stem"], **_facts(item, case)}
    sheet = {"fill": c.FILL, "order": c.ORDER, "match": c.MATCH, "hotspot": c.SPOT, "case": c.CASE}.get(kind, c.CHOICE)
    if sheet == c.CHOICE:
        row |= {"type": _word(c.TYPES, kind), "answer": "".join(item["answer"])}
    elif kind == "fill":
        if len(item["blanks"]) > c.BLANKS:
            raise Wrong("check_blanks", most=c.BLANKS)
        for n, blank in enumerate(item["blanks"], start=1):
            row |= _blank(n, blank)
    elif kind == "order":
        row["answer"] = "".join(item["answer"])
    elif kind == "match":
        row["answer"] = " ".join(f"{left}{key}" for left, key in item["answer"].items())
        row |= {f"left.{left['key']}": left["text"] for left in item["left"]}
    elif kind == "hotspot":
        row |= {"image": item["image"], "aspect": str(item.get("aspect", 1000))}
        for n, region in enumerate(item["regions"], start=1):
            row[f"regions.{n}"] = _word(c.SHAPES, region["shape"]) + " " + ",".join(map(str, region["coords"]))
    if kind == "case":
        row.pop("points", None)
    rows.setdefault(sheet, []).append(row)
    for option in item.get("options", ()):
        row[f"options.{option['key']}"] = option["text"]
        if option.get("image"):
            _media(rows, item["id"], option["key"], option["image"], "")
    for media in item.get("media", ()):
        _media(rows, item["id"], "题干", media["name"], media["alt"])
    for language, said in item.get("translations", {}).items():
        texts = {"题干": said["stem"], **said.get("options", {}), **said.get("left", {})}
        for place, text in texts.items():
            line = {"item": item["id"], "language": language, "place": place, "text": text}
            rows.setdefault(c.WORDS, []).append(line)
    for sub in item.get("items", ()):
        _item_rows(sub, rows, item["id"])


def _media(rows: dict[str, list[dict[str, str]]], item: str, place: str, name: str, alt: str) -> None:
    rows.setdefault(c.MEDIA, []).append({"item": item, "place": place, "file": name, "alt": alt})


def _blank(n: int, blank: Fields) -> dict[str, str]:
    if blank["kind"] == "number":
        texts = {"answer": blank["value"], "tolerance": str(blank.get("tolerance", ""))}
        texts |= {"units": _joined(blank, "units"), "shown": _joined(blank, "shown_units")}
    else:
        texts = {"answer": "|".join(_safe(blank["accepted"], "|"))}
    return {f"blanks.{n}.kind": _word(c.KINDS, blank["kind"])} | {f"blanks.{n}.{k}": v for k, v in texts.items()}


def _joined(blank: Fields, name: str) -> str:
    return "|".join(_safe(blank.get(name, []), "|"))


def _safe(values: list[str], separators: str) -> list[str]:
    if bad := [value for value in values if re.search(f"[{re.escape(separators)}]", value)]:
        raise Wrong("check_separator", given=bad[0], signs=separators)
    return values


def _facts(item: Fields, case: str) -> dict[str, str]:
    row = {"case": case} if case else {}
    for name in ("topic", "difficulty", "points", "template", "exposure"):
        if name in item:
            row[name] = str(item[name])
    row |= {f"source.{name}": text for name, text in item["source"].items()}
    row["test"] = _word(c.TESTS, item["test"])
    for name in ("local", "sample"):
        if item.get(name):
            row[name] = "是"
    if "rule" in item:
        row["rule"] = _word(c.RULES, item["rule"])
    for name in ("posts", "levels"):
        row[name] = "；".join(_safe(item.get(name, []), "、;；\n"))
    row["regimes"] = "；".join(_word(c.REGIMES, regime) for regime in item.get("regimes", []))
    return {name: text for name, text in row.items() if text}
