"""The workbook as drafts of items, each field with its cell (`题目!C7`) for the message if it is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.bank.drafts import Batch, Draft, Step
from edge.bank.media import MediaPool, size_of
from edge.bank.package import Package, open_package
from edge.bank.problems import Fault, Problems
from edge.bank.xlsx import columns as c
from edge.bank.xlsx import plans
from edge.bank.xlsx.sheets import Row, bank_facts, open_book, other_sheets, rows_of
from edge.domain.paper import LETTERS

_SEVERAL = re.compile(r"[、;；\n]")
_TRUE = {"正确": "A", "对": "A", "√": "A", "错误": "B", "错": "B", "×": "B"}


def read_workbook(path: Path, media: Path | None, pool: MediaPool, problems: Problems, step: Step) -> Batch:
    """The bank in a workbook. BadInput when it is none; what is wrong inside goes to `problems`."""
    package = None if media is None else open_package(media)
    book = open_book(path, rich=True)
    batch = Batch()
    try:
        batch.facts = bank_facts(book, path, problems)
        rows = {name: list(rows_of(book, name, problems)) for name in c.COLUMNS}
        other_sheets(book, problems)
    finally:
        book.close()
    if not any(rows[name] for name in c.SHEETS) and not problems.found:
        problems.add(path.name, "", "bank_no_items", file=path.name)
    reader = _Reader(path, package, pool, problems)
    drafts: dict[str, Draft] = {}
    for done, (sheet, row) in enumerate(((name, row) for name in c.SHEETS for row in rows[name]), start=1):
        try:
            draft = reader.item(sheet, row)
        except Fault as fault:
            problems.add(fault.where or row.place, row["id"], fault.code, **fault.facts)
            draft = None
        if draft is not None and draft.item in drafts:
            problems.add(row.cell("id"), draft.item, "bank_item_twice", other=drafts[draft.item].place(("id",)))
        elif draft is not None:
            drafts[draft.item] = draft
            draft.fields["case"] = row["case"]
        step(done, sum(len(rows[name]) for name in c.SHEETS))
    wrong = {problem.item for problem in problems.found}
    for row in rows[c.MEDIA]:
        reader.media(row, drafts, wrong)
    for row in rows[c.WORDS]:
        reader.words(row, drafts, wrong)
    batch.drafts = _nested(drafts, problems, wrong)
    batch.blueprints = list(plans.blueprints(rows[c.PLANS], problems))
    batch.rubrics = list(plans.rubrics(rows[c.SCORES], problems))
    return batch


def _nested(drafts: Mapping[str, Draft], problems: Problems, wrong: set[str]) -> list[Draft]:
    """Cases with their questions inside, in the order of their numbers; the case's points are theirs together."""
    for draft in list(drafts.values()):
        case = draft.fields.pop("case")
        if not case:
            continue
        holder = drafts.get(case)
        if holder is None or holder.fields["type"] != "case":
            if case not in wrong:
                problems.add(draft.place(("case",)), draft.item, "bank_case_unknown", case=case)
            draft.fields["nested"] = True
            continue
        holder.fields["items"].append(draft)
        draft.fields["nested"] = True
    result = []
    for draft in drafts.values():
        if draft.fields.pop("nested", False):
            continue
        if draft.fields["type"] == "case":
            subs = sorted(draft.fields["items"], key=lambda sub: _number(sub.item))
            draft.fields["items"] = [sub.fields for sub in subs]
            for at, sub in enumerate(subs):
                draft.places |= {("items", at, *loc): place for loc, place in sub.places.items()}
                draft.places[("items", at)] = sub.base
            points = [str(sub.fields.get("points", 1)) for sub in subs]
            if all(text.isascii() and text.isdigit() for text in points):
                draft.fields["points"] = sum(map(int, points))
            if not subs and any(item.startswith(draft.item + ".") for item in wrong):
                continue  # its questions are reported themselves
        result.append(draft)
    return result


def _number(item: str) -> int:
    last = item.rpartition(".")[2]
    return int(last) if last.isascii() and last.isdigit() and len(last) < 6 else 0


class _Reader:
    def __init__(self, path: Path, package: Package | None, pool: MediaPool, problems: Problems) -> None:
        self.path, self.package, self.pool, self.problems = path, package, pool, problems
        self._names: dict[str, str] = {}

    def item(self, sheet: str, row: Row) -> Draft | None:
        if not row["id"]:
            raise row.fault("id", "bank_field_missing", field="编号")
        fields: dict[str, Any] = {"id": row["id"], "stem": row["stem"]}
        draft = Draft(row["id"], fields, row.place)
        for column in c.COLUMNS[sheet]:
            path = tuple(column.field.split("."))
            draft.places.setdefault(path if path[0] == "source" else path[:1], row.cell(column.field))
            if not row[column.field] and column.field == "stem":
                self.problems.add(row.cell("stem"), draft.item, "bank_field_missing", field="题干")
                fields["stem"] = " "
        self._common(draft, row)
        {
            c.CHOICE: self._choice,
            c.FILL: self._fill,
            c.ORDER: self._order,
            c.MATCH: self._match,
            c.SPOT: self._spot,
            c.CASE: self._case,
        }[sheet](draft, row)
        return draft

    def _common(self, draft: Draft, row: Row) -> None:
        fields = draft.fields
        for name in ("topic", "difficulty", "points", "template", "exposure"):
            if row[name]:
                fields[name] = row[name]
        if row["test"]:
            fields["test"] = self._word(row, "test", c.TESTS)
        if row["rule"]:
            fields["rule"] = self._word(row, "rule", c.RULES)
        for name in ("local", "sample"):
            if row[name]:
                fields[name] = self._word(row, name, c.YES_NO)
        for name in ("posts", "levels"):
            if row[name]:
                fields[name] = [part.strip() for part in _SEVERAL.split(row[name]) if part.strip()]
        if row["regimes"]:
            words = [part.strip() for part in _SEVERAL.split(row["regimes"]) if part.strip()]
            if unknown := [word for word in words if word not in c.REGIMES]:
                raise row.fault(
                    "regimes", "bank_field_choice", field="类别", given=unknown[0], expected="、".join(c.REGIMES)
                )
            fields["regimes"] = [c.REGIMES[word] for word in words]
        source = {name: row[f"source.{name}"] for name in ("standard", "title", "edition", "clause")}
        if any(source.values()):
            fields["source"] = {name: text for name, text in source.items() if text}

    def _word(self, row: Row, field: str, words: Mapping[str, Any]) -> Any:
        if row[field] not in words:
            raise row.fault(
                field, "bank_field_choice", field=row.title(field), given=row[field][:40], expected="、".join(words)
            )
        return words[row[field]]

    def _options(self, draft: Draft, row: Row) -> None:
        options: list[dict[str, str]] = []
        for letter in LETTERS:
            if row[f"options.{letter}"]:
                draft.places[("options", len(options))] = row.cell(f"options.{letter}")
                options.append({"key": letter, "text": row[f"options.{letter}"]})
        draft.fields["options"] = options

    def _letters(self, row: Row) -> list[str]:
        return [letter for letter in row["answer"].upper() if letter not in " ,，、;；"]

    def _choice(self, draft: Draft, row: Row) -> None:
        if not row["type"]:
            raise row.fault("type", "bank_field_missing", field="题型")
        kind = draft.fields["type"] = self._word(row, "type", c.TYPES)
        self._options(draft, row)
        answer = row["answer"]
        if kind == "judgement":
            if not draft.fields["options"]:
                draft.fields["options"] = [{"key": "A", "text": "正确"}, {"key": "B", "text": "错误"}]
            if answer in _TRUE:
                options = draft.fields["options"]
                alike = [one["key"] for one in options if _TRUE.get(str(one["text"])) == _TRUE[answer]]
                draft.fields["answer"] = alike
                return
        if not answer:
            raise row.fault("answer", "bank_field_missing", field="答案")
        draft.fields["answer"] = self._letters(row)

    def _fill(self, draft: Draft, row: Row) -> None:
        draft.fields["type"] = "fill"
        blanks: list[dict[str, Any]] = []
        for n in range(1, c.BLANKS + 1):
            answer, kind = row[f"blanks.{n}.answer"], row[f"blanks.{n}.kind"]
            tolerance, units = row[f"blanks.{n}.tolerance"], row[f"blanks.{n}.units"]
            shown = row[f"blanks.{n}.shown"]
            if not (answer or kind or tolerance or units or shown):
                continue
            draft.places[("blanks", len(blanks))] = row.cell(f"blanks.{n}.answer")
            for name, column in (("tolerance", "tolerance"), ("units", "units"), ("shown_units", "shown")):
                draft.places[("blanks", len(blanks), name)] = row.cell(f"blanks.{n}.{column}")
            more = bool(tolerance or units or shown)
            number = self._word(row, f"blanks.{n}.kind", c.KINDS) == "number" if kind else more
            if number:
                blank: dict[str, Any] = {"kind": "number", "value": answer}
                if tolerance:
                    blank["tolerance"] = tolerance
                for name, text in (("units", units), ("shown_units", shown)):
                    if text:
                        blank[name] = [part.strip() for part in text.split("|") if part.strip()]
            else:
                if more:
                    raise row.fault(f"blanks.{n}.kind", "bank_blank_kind")
                if row.decimal(f"blanks.{n}.answer"):
                    raise row.fault(f"blanks.{n}.answer", "bank_cell_decimal", field=f"空{n}答案", given=answer)
                blank = {"kind": "text", "accepted": [part.strip() for part in answer.split("|") if part.strip()]}
            blanks.append(blank)
        draft.fields["blanks"] = blanks

    def _order(self, draft: Draft, row: Row) -> None:
        draft.fields["type"] = "order"
        self._options(draft, row)
        draft.fields["answer"] = self._letters(row)

    def _match(self, draft: Draft, row: Row) -> None:
        draft.fields["type"] = "match"
        self._options(draft, row)
        left: list[dict[str, str]] = []
        for n in range(1, c.LEFTS + 1):
            if row[f"left.{n}"]:
                draft.places[("left", len(left))] = row.cell(f"left.{n}")
                left.append({"key": str(n), "text": row[f"left.{n}"]})
        draft.fields["left"] = left
        pairs = re.findall(r"([1-8])\s*[-:：→]?\s*([A-Ha-h])", row["answer"])
        rest = re.sub(r"([1-8])\s*[-:：→]?\s*([A-Ha-h])", "", row["answer"])
        if re.sub(r"[\s,，、;；]", "", rest) or len({place for place, _ in pairs}) != len(pairs):
            raise row.fault("answer", "bank_match_form", given=row["answer"][:40])
        draft.fields["answer"] = {place: key.upper() for place, key in pairs}

    def _spot(self, draft: Draft, row: Row) -> None:
        draft.fields["type"] = "hotspot"
        if not row["image"]:
            raise row.fault("image", "bank_field_missing", field="图片")
        draft.fields["image"] = self._file(row, "image")
        if row["aspect"]:
            draft.fields["aspect"] = row["aspect"]
        else:
            size = size_of(self._bytes(row, "image"))
            if size is None or not all(size):
                raise row.fault("aspect", "bank_field_missing", field="高宽比")
            draft.fields["aspect"] = (size[1] * 2000 + size[0]) // (2 * size[0])
        regions: list[dict[str, Any]] = []
        for n in range(1, c.REGIONS + 1):
            if text := row[f"regions.{n}"]:
                found = re.fullmatch(r"(圆|矩形|多边形)\s*([0-9,，\s]+)", text)
                if found is None:
                    raise row.fault(f"regions.{n}", "bank_region_form", given=text[:40])
                draft.places[("regions", len(regions))] = row.cell(f"regions.{n}")
                coords = [part for part in re.split(r"[,，\s]+", found[2].strip()) if part]
                regions.append({"shape": c.SHAPES[found[1]], "coords": coords})
        draft.fields["regions"] = regions

    def _case(self, draft: Draft, row: Row) -> None:
        draft.fields |= {"type": "case", "items": []}

    def _bytes(self, row: Row, field: str) -> bytes:
        if self.package is None:
            raise row.fault(field, "bank_no_media", file=row[field][:60])
        name = row[field]
        inner = [known for known in self.package.names if known == name or known.endswith("/" + name)]
        if len(inner) != 1:
            raise row.fault(field, "bank_file_missing" if not inner else "bank_file_ambiguous", file=name[:60])
        try:
            return self.package.read(inner[0])
        except Fault as fault:
            raise row.fault(field, fault.code, **fault.facts) from fault

    def _file(self, row: Row, field: str) -> str:
        name = row[field]
        if name not in self._names:
            try:
                self._names[name] = self.pool.add(name, self._bytes(row, field))
            except Fault as fault:
                raise row.fault(field, fault.code, **fault.facts) from fault
        return self._names[name]

    def _target(self, row: Row, drafts: Mapping[str, Draft], wrong: set[str]) -> Draft | None:
        if (draft := drafts.get(row["item"])) is None and row["item"] not in wrong:
            self.problems.add(row.cell("item"), row["item"], "bank_item_unknown", given=row["item"][:64])
        return draft

    def media(self, row: Row, drafts: Mapping[str, Draft], wrong: set[str]) -> None:
        if (draft := self._target(row, drafts, wrong)) is None:
            return
        try:
            if row["place"] in ("", "题干"):
                if not row["alt"]:
                    raise row.fault("alt", "bank_field_missing", field="说明文字")
                found = draft.fields.setdefault("media", [])
                draft.places[("media", len(found))] = row.cell("file")
                found.append({"name": self._file(row, "file"), "alt": row["alt"]})
                return
            option = next((o for o in draft.fields.get("options", ()) if o["key"] == row["place"].upper()), None)
            if option is None:
                raise row.fault("place", "bank_place_unknown", given=row["place"][:20])
            option["image"] = self._file(row, "file")
        except Fault as fault:
            self.problems.add(fault.where or row.place, draft.item, fault.code, **fault.facts)

    def words(self, row: Row, drafts: Mapping[str, Draft], wrong: set[str]) -> None:
        if (draft := self._target(row, drafts, wrong)) is None:
            return
        if not row["text"]:
            self.problems.add(row.cell("text"), draft.item, "bank_field_missing", field="译文")
            return
        found = draft.fields.setdefault("translations", {}).setdefault(row["language"], {})
        draft.places.setdefault(("translations",), row.cell("text"))
        draft.places[("translations", row["language"])] = row.cell("language")
        place = row["place"].upper()
        if place in ("", "题干"):
            found["stem"] = row["text"]
        elif place in LETTERS and len(place) == 1:
            found.setdefault("options", {})[place] = row["text"]
        elif place in "12345678" and len(place) == 1:
            found.setdefault("left", {})[place] = row["text"]
        else:
            self.problems.add(row.cell("place"), draft.item, "bank_place_unknown", given=row["place"][:20])
