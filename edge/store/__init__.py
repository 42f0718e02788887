"""SQLite: the room store and the answer journal. All SQL of the room lives here; one module a record."""
