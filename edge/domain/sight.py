"""Whether a camera sees: frozen, doubled, black, dark, covered or blinded, by small statistics of its pictures.

A state begins only once it has held for a while and ends only once the picture has been good for a while, with wider
limits for staying than for beginning: what flickers between two states is neither. A fault is told at most 3.5 s after
its first picture, at two pictures a second or more.

What this cannot tell: a light that is out from a lens cap under a noisy sensor (both `dark`); what hangs before a wall
without any texture, unless it is flatter still; a network camera whose "smart" coding leaves a still room out of its
stream altogether (turn that off, or it is taken for frozen); a recording played in place of the room; a torch whose
glare leaves three fifths of the picture: so bright is a window, too.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

WINDOW_MS = 3000
"""Copies are counted over this span."""
BEGIN_MS = 2500
"""A picture has to be bad for so long; copies, which are counted over WINDOW_MS anyway, need no more."""
END_MS = 1500
BLANK_MS = 3000
"""Video comes, and no picture can be made of it."""
PAST_MINUTES = 20
"""How far back a good picture is remembered."""
TURNED_MS = 600_000
_PLAIN = 0.008
"""A scene of less texture than this in proportion to its light is a bare wall: of it nothing can be concluded."""
_AGAIN_MS = 30_000
_DARK_AGAIN_MS = 600_000
_UNSEEN_MS = 20_000

FROZEN, DOUBLED, BLACK, DARK = "camera_frozen", "camera_doubled", "camera_black", "camera_dark"
COVERED, BLINDED, BLANK = "camera_covered", "camera_blinded", "camera_blank"
BLIND = frozenset((FROZEN, DOUBLED, BLACK, DARK, COVERED, BLINDED, BLANK))
"""Codes of a camera that gives video of which nothing, or nothing new, can be seen."""


@dataclass(frozen=True, slots=True)
class Look:
    """Statistics of one picture, brightness from 0 to 255.

    `mean` and `contrast` (standard deviation) of the whole; `bright`: the share of pixels at 250 or above; `texture`:
    the mean bend (second difference) between neighbouring points, less what noise makes of it; `change`: the mean step
    since the picture before; `frames` came since then, of which `copies` were equal to their predecessor in every byte
    that was compared; `moved`: something in it moved.
    """

    mono_ms: int
    mean: float
    contrast: float
    bright: float
    texture: float
    change: float
    frames: int
    copies: int
    moved: bool


@dataclass(frozen=True, slots=True)
class Sight:
    """What is wrong with a camera's picture (a code of the catalogue, None when it is good), and since when."""

    code: str | None
    since_ms: int


class Watch:
    """Give it each look in order; `sight` is its judgement.

    `exact`: the pictures are the sensor's own, or coded each by itself, so that noise makes any two differ. A coder of
    moving pictures makes small differences of copies: there fewer of them mean frozen while nothing moves, and doubled
    is told only while something does.
    """

    def __init__(self, *, exact: bool) -> None:
        self._exact = exact
        self._window: deque[Look] = deque()
        self._least: deque[tuple[float, float]] = deque(maxlen=PAST_MINUTES)  # (texture, contrast), by the minute
        self._smooth: tuple[float, float] | None = None
        self._minute: int | None = None
        self._sight = Sight(None, 0)
        self._pending: tuple[str | None, int] | None = None
        self._video_since: int | None = None  # without a picture
        self._video_ms = 0

    @property
    def sight(self) -> Sight:
        return self._sight

    def look(self, look: Look) -> Sight:
        """Take in one more picture."""
        self._window.append(look)
        while self._window[0].mono_ms < look.mono_ms - WINDOW_MS:
            self._window.popleft()
        code = self._seems(look)
        if code is None and self._sight.code is not None and self._stays(self._sight.code, look):
            code = self._sight.code
        self._learn(look, code)
        self._video_since = None
        return self._settle(code, look.mono_ms)

    def video(self, now_ms: int) -> Sight:
        """Video has come, without a picture that could be looked at as far as is known. A pause in it begins anew."""
        if self._video_since is None or now_ms - self._video_ms > 1000:
            self._video_since = now_ms
        self._video_ms = now_ms
        if now_ms - self._video_since > BLANK_MS:
            self._sight = Sight(BLANK, self._video_since) if self._sight.code != BLANK else self._sight
            self._pending = None
        return self._sight

    def restarted(self, *, exact: bool) -> None:
        """The camera was opened again: what was counted says nothing of now; the judgement stays till a new one."""
        self._exact = exact
        self._window.clear()
        self._pending = self._video_since = None

    def _settle(self, code: str | None, now_ms: int) -> Sight:
        if code == self._sight.code:
            self._pending = None
            return self._sight
        if self._pending is None or self._pending[0] != code:
            self._pending = (code, now_ms)
        wait = END_MS if code is None else 0 if code in (FROZEN, DOUBLED) else BEGIN_MS
        if now_ms - self._pending[1] >= wait:
            self._sight, self._pending = Sight(code, self._pending[1]), None
        return self._sight

    def _seems(self, look: Look) -> str | None:
        if look.mean < 20:
            return BLACK if look.contrast < 4 and look.texture < 0.3 else DARK
        if look.bright > 0.4 or look.mean > 240:
            return BLINDED
        if self._covered(look, 0.25):
            return COVERED
        return self._copied()

    def _stays(self, code: str, look: Look) -> bool:
        """Whether `code`, once told, still holds by its wider limits."""
        if code in (BLACK, DARK):
            return look.mean < 28
        if code == BLINDED:
            return look.bright > 0.35 or look.mean > 230
        if code == COVERED:
            return self._covered(look, 0.45)
        return code in (FROZEN, DOUBLED) and self._shares()[-1] >= 0.3

    def _shares(self) -> list[float]:
        """The share of copies in each second of the window."""
        until, found = self._window[-1].mono_ms, list[float]()
        for ago in range(WINDOW_MS - 1000, -1, -1000):
            part = [seen for seen in self._window if ago <= until - seen.mono_ms < ago + 1000]
            found.append(sum(seen.copies for seen in part) / max(1, sum(seen.frames for seen in part)))
        return found

    def _copied(self) -> str | None:
        """Frozen: next to nothing but copies. A coder makes a still picture a little different at its key frames."""
        window = self._window
        frames, copies = sum(seen.frames for seen in window), sum(seen.copies for seen in window)
        if window[-1].mono_ms - window[0].mono_ms < WINDOW_MS - 700 or frames < 5:
            return None
        still = max(seen.change for seen in window) < 1 and not any(seen.moved for seen in window)
        if copies >= (0.75 if self._exact else 0.25) * frames and still:
            return FROZEN
        moves = any(seen.moved for seen in window if seen.mono_ms > window[-1].mono_ms - 1000)
        told = (self._exact or moves) and all(0.3 <= share <= 0.8 for share in self._shares())
        return DOUBLED if told else None

    def _covered(self, look: Look, share: float) -> bool:
        """Flat and blurred: against the camera's own past, or so much that no room looks like it."""
        usual, contrast = self._usual()
        if look.texture < 0.25 and look.contrast < (min(8.0, 0.6 * contrast) if self._least else 4.0):
            return True
        return usual >= _PLAIN and look.texture < 2.5 and _proportion(look) < share * usual

    def _usual(self) -> tuple[float, float]:
        """The least texture, in proportion to its light, and contrast of late: nobody before the wall."""
        return (min(t for t, _ in self._least), min(c for _, c in self._least)) if self._least else (0.0, 0.0)

    def _learn(self, look: Look, code: str | None) -> None:
        """What good pictures look like; one covered for long, and not flat, is of a camera turned for good."""
        if code == COVERED and self._sight.code == COVERED and look.texture >= 0.25:
            if look.mono_ms - self._sight.since_ms > TURNED_MS:
                self._least.clear()
                self._smooth = self._minute = None
            return
        if code is not None or self._pending is not None or len(self._window) < 3:  # the first knows no noise
            return
        now, old = (_proportion(look), look.contrast), self._smooth
        self._smooth = now if old is None else (old[0] + (now[0] - old[0]) * 0.1, old[1] + (now[1] - old[1]) * 0.1)
        minute = look.mono_ms // 60_000
        if minute != self._minute:
            self._minute = minute
            self._least.append(self._smooth)
        else:
            texture, contrast = self._least[-1]
            self._least[-1] = min(texture, self._smooth[0]), min(contrast, self._smooth[1])


def _proportion(look: Look) -> float:
    return look.texture / (look.mean + 10)


class Telling:
    """Which troubles of a camera are entered in the ledger: the beginning of each and its end, once.

    One that comes again within half a minute, and a room that goes dark again within ten, is not entered again. A
    camera that comes back blind is blind from then on, not away. What is not entered as a trouble of its own is told
    by `unseen` a little later, since the certificate counts it.
    `before`: what an earlier process entered and did not live to see the end of.
    """

    def __init__(self, before: str | None = None) -> None:
        self._told: dict[str, int] = {}
        self._open = before
        self._untold: tuple[str, int] | None = None  # a blindness under way that is not entered, and since when
        self._spans: list[dict[str, object]] = []
        self._unseen_ms: int | None = None

    def entry(self, code: str | None, now_ms: int) -> dict[str, object] | None:
        """What to enter now that the trouble is `code` (None: none), or None where nothing is."""
        if code == self._open:
            return None
        if code is None:
            over, self._open = self._open, None
            return {"state": "good", "reason": over}
        last = self._told.get(code)
        again = _DARK_AGAIN_MS if code == DARK else _AGAIN_MS
        if self._open is not None and (self._open in BLIND or code not in BLIND):  # whoever is away sees nothing either
            return None
        if last is not None and now_ms - last < again:
            return None
        self._told[code], self._open = now_ms, code
        return {"state": "trouble", "reason": code}

    def unseen(self, sight: Sight, now_ms: int) -> dict[str, object] | None:
        """What to enter of blindness that `entry`, asked just before, did not: spans on the monotonic clock, each at
        most 20 s long, every 20 s at most; None where there are none.
        """
        code, since_ms = (sight.code, sight.since_ms) if self._open not in BLIND else (None, now_ms)
        if self._untold is not None:
            was, began_ms = self._untold
            if code != was or now_ms - began_ms >= _UNSEEN_MS:
                self._spans.append({"reason": was, "from_mono_ms": began_ms, "until_mono_ms": now_ms})
                self._untold, since_ms = None, now_ms
        if code is not None and self._untold is None:
            self._untold = code, since_ms
        if not self._spans or (self._unseen_ms is not None and now_ms - self._unseen_ms < _UNSEEN_MS):
            return None
        spans, self._spans, self._unseen_ms = self._spans, [], now_ms
        return {"state": "unseen", "spans": spans}


class Cadence:
    """How many pictures a camera lost before anybody saw them, by the times its sensor took the others.

    A gap counts as lost pictures when the pace before and after it is the same; a pace that changes and stays so (an
    exposure grown longer at dusk) is none. Every second picture lost from the start looks like a slow camera.
    """

    def __init__(self) -> None:
        self._last_us: int | None = None
        self._steps: deque[int] = deque(maxlen=9)
        self._gap = 0  # seen, and not yet confirmed by a step of the old pace
        self.lost = 0

    def damaged(self) -> None:
        """One came of which nothing can be made: lost, and no measure of the pace."""
        self.lost += 1
        self._last_us, self._gap = None, 0

    def taken(self, at_us: int) -> None:
        """One more picture, by the sensor's clock in microseconds; one that goes back begins anew."""
        last, self._last_us = self._last_us, at_us
        if last is None or at_us <= last:
            self._gap = 0
            return
        step = at_us - last
        if len(self._steps) < 5:
            self._steps.append(step)
            return
        usual = sorted(self._steps)[len(self._steps) // 2]
        if step > 1.6 * usual:
            if self._gap:  # two in a row: a new pace as likely as a loss
                self._steps.extend((self._gap, step))
                self._gap = 0
            else:
                self._gap = step
            return
        if self._gap:
            self.lost += round(self._gap / usual) - 1
            self._gap = 0
        self._steps.append(step)
