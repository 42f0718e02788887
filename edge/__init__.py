"""examroom-edge: the box in a construction-trades exam room."""

__version__ = "0.1.0"
