"""A signature drawn on a tablet: strokes of whole points [x, y, x, y, ...] on a field of 1000 by 400."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH, HEIGHT = 1000, 400
MOST_STROKES = 60
MOST_POINTS = 2000
LEAST_POINTS = 8


def check_strokes(strokes: Sequence[Sequence[int]]) -> list[list[int]]:
    """The strokes as they were given. ValueError when they cannot be a signature or are too many."""
    if not 1 <= len(strokes) <= MOST_STROKES:
        raise ValueError(f"{len(strokes)} strokes")
    points = 0
    for stroke in strokes:
        if len(stroke) < 2 or len(stroke) % 2:
            raise ValueError("a stroke of half a point")
        points += len(stroke) // 2
        if any(not 0 <= x <= WIDTH for x in stroke[::2]) or any(not 0 <= y <= HEIGHT for y in stroke[1::2]):
            raise ValueError("a point outside the field")
    if not LEAST_POINTS <= points <= MOST_POINTS:
        raise ValueError(f"{points} points")
    return [list(stroke) for stroke in strokes]
