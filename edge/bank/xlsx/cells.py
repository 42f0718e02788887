"""What a cell of a workbook holds, as words; and what it holds that is not what it shows.

A spreadsheet program turns "3-5" into a date, "50%" into 0.5 and "6.10" into 6.1 while somebody types. What was meant
cannot be told from what is left, so such cells are named rather than read.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

FORMULA = "bank_cell_formula"
_FAULTS = {"d": "bank_cell_date", "b": "bank_cell_bool", "f": FORMULA, "e": "bank_cell_error"}


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
    if isinstance(value, int | float):
        if "%" in str(cell.number_format):
            return Value(f"{value * 100:g}%", "bank_cell_percent")
        if isinstance(value, float) and not value.is_integer():
            return Value(str(Decimal(repr(value))), decimal=True)
        return Value(str(int(value)))
    return Value(str(value).strip(), words=True)
