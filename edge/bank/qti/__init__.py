"""QTI 2.1, 2.2 and 3.0 packages in, QTI 3.0 packages out. What maps to what: IMPORT.md beside this package."""
