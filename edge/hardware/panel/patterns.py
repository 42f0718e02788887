"""How each pattern looks and sounds.

Colour is never the only sign: what needs the person to act blinks, what is settled is steady, and each outcome has
its own beep. A fault is silent, since an exam may be going on behind the door.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.hardware.panel import Pattern


@dataclass(frozen=True)
class Rhythm:
    """Seconds on and off, `times` over; None is for ever."""

    on_s: float
    off_s: float
    times: int | None = None


STEADY = Rhythm(1.0, 0.0)


@dataclass(frozen=True)
class Show:
    """One lamp, or none, and the beep."""

    lamp: str | None = None
    light: Rhythm = STEADY
    beep: Rhythm | None = None


SHOWS: dict[Pattern, Show] = {
    Pattern.READY: Show("yellow"),
    Pattern.LOOK_HERE: Show("yellow", Rhythm(0.25, 0.25), beep=Rhythm(0.08, 0.0, 1)),
    Pattern.WELCOME: Show("green", beep=Rhythm(0.4, 0.0, 1)),
    Pattern.SEE_PROCTOR: Show("red", beep=Rhythm(0.12, 0.12, 2)),
    Pattern.FAULT: Show("red", Rhythm(0.25, 0.75)),
    Pattern.RECORDING_FAULT: Show("red", Rhythm(0.75, 0.25)),
    Pattern.OFF: Show(),
}
