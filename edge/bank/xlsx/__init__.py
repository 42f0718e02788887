"""The bank as a workbook: the template, reading it, writing it. What each column means: `columns.py` and IMPORT.md."""
