"""Where fragments are cut: at key frames, so that each can be shown by itself, and never long after one was due."""

from __future__ import annotations

import math

NEAR = 1.1
"""Key frames that lie no farther apart than so many fragments come with each."""
_LATE_MS = 75
_SLACK_MS = 150


def cuts(fragment_seconds: int, gop_ms: int | None, frame_ms: float) -> tuple[float, float]:
    """How long a fragment is at least when a key frame ends it, and after how long it ends without one, in ms.

    `gop_ms`: from key frame to key frame, None where that is not known yet; `frame_ms`: from picture to picture. Where
    a key frame comes with each fragment, it is waited for: a fragment that begins with another picture is shown only
    with those before it. Where key frames lie farther apart, what lies between two is cut into even parts, so that the
    last ends at the key frame and none is longer than a fragment should be, but for a key frame that is a little late.
    """
    whole = 1000 * fragment_seconds
    if gop_ms is not None and gop_ms <= NEAR * whole:
        return whole - 500, whole + 500
    longest = float(whole + _LATE_MS)
    if gop_ms is None:
        return whole - 700, _whole_pictures(longest, frame_ms)
    part = (gop_ms + _SLACK_MS) / math.ceil((gop_ms + _SLACK_MS) / longest)
    return part / 2, _whole_pictures(part, frame_ms)


def _whole_pictures(ms: float, frame_ms: float) -> float:
    """A length that ends with the last picture which does within `ms`: a cut comes with the first picture after it."""
    return min(ms, (max(1, ms // frame_ms) - 0.5) * frame_ms)  # pictures may have been lost just now
