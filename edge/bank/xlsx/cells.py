"""What a cell of a workbook holds, as words; and what it holds that is not what it shows.

A spreadsheet program turns "3-5" into a date, "50%" into 0.5 and "6.10" into 6.1 while somebody types. What was meant
cannot be told from what is left, so such cells are named rather than read. Likewise words that are struck out, and
indices that no Unicode sign has: without their layout they would say something else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from openpyxl.cell.rich_text import CellRichText, TextBlock

from edge.bank.signs import lowered, raised

_FAULTS = {"d": "bank_cell_date", "b": "bank_cell_bool", "f": "bank_cell_formula", "e": "bank_cell_error"}
_INDICES = {"superscript": raised, "subscript": lowered}


@dataclass(frozen=True)
class Value:
    """`fault`: a reason code, for a cell that cannot be read. `decimal`: a number that has lost its last zeros.
    `words`: typed as words."""

    text: str
    fault: str | None = None
    decimal: bool = False
    words: bool = False

    def fault_in(self, number: bool) -> str | None:
        """What is wrong with the cell in a column of numbers, or of words."""
        return self.fault or ("bank_cell_decimal" if self.decimal and not number else None)


EMPTY = Value("")


def value_of(cell: Any) -> Value:
    """The value of a cell as openpyxl reads it."""
    value = cell.value
    if value is None:
        return EMPTY
    kind = str(cell.data_type)
    if kind in _FAULTS:
        return Value(str(value), _FAULTS[kind])
    if cell.font.strike:
        return Value(str(value), "bank_cell_struck")
    if isinstance(value, int | float):
        if "%" in str(cell.number_format):
            return Value(f"{value * 100:g}%", "bank_cell_percent")
        if isinstance(value, float) and not value.is_integer():
            return Value(str(Decimal(repr(value))), decimal=True)
        return Value(str(int(value)))
    return _words(value if isinstance(value, CellRichText) else [str(value)], cell.font.vertAlign)


def _words(runs: Iterable[str | TextBlock], whole: str | None) -> Value:
    """The words of a cell's runs, each under its own font; `whole` is how the cell's font raises or lowers others."""
    text = ""
    for run in runs:
        words, moved = str(run), run.font.vertAlign if isinstance(run, TextBlock) else whole
        if words.strip() and isinstance(run, TextBlock) and run.font.strike:
            return Value("".join(map(str, runs)).strip(), "bank_cell_struck")
        signs = _INDICES[moved](words) if moved in _INDICES else words
        if signs is None:
            return Value("".join(map(str, runs)).strip(), "bank_cell_index")
        text += signs
    return Value(text.strip(), words=True)
