"""A signature drawn on a tablet: strokes of whole points [x, y, x, y, ...] on a field of 1000 by 400."""

from __future__ import annotations

from collections.abc import Sequence

from edge.errors import Wrong

WIDTH, HEIGHT = 1000, 400
MOST_STROKES = 60
MOST_POINTS = 2000
LEAST_POINTS = 8


def check_strokes(strokes: Sequence[Sequence[int]]) -> list[list[int]]:
    """The strokes as they were given. ValueError when they cannot be a signature or are too many."""
    if not 1 <= len(strokes) <= MOST_STROKES:
        raise Wrong("stroke_count", count=len(strokes), most=MOST_STROKES)
    points = 0
    for stroke in strokes:
        if len(stroke) < 2 or len(stroke) % 2:
            raise Wrong("stroke_half")
        points += len(stroke) // 2
        if any(not 0 <= x <= WIDTH for x in stroke[::2]) or any(not 0 <= y <= HEIGHT for y in stroke[1::2]):
            raise Wrong("stroke_outside")
    if not LEAST_POINTS <= points <= MOST_POINTS:
        raise Wrong("stroke_points", count=points, least=LEAST_POINTS, most=MOST_POINTS)
    return [list(stroke) for stroke in strokes]
