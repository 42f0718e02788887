"""What a keyboard-wedge badge reader types: key events in, badges or reasons out. No I/O and no clock of its own.

A wedge reader is a USB keyboard that types the card's number and Enter. A frame is what stands between two Enters.
The rule is that a wrong identity is worse than no identity: whatever is not beyond doubt one whole frame comes out as
a reason, once a frame, and the person holds the card to the reader again.

Key codes are those of Linux (`linux/input-event-codes.h`). Letters come out as capitals whatever Shift and Caps Lock
say, since a reader's capitals turn small on a host whose Caps Lock is on; a badge never depends on the case.

A badge is the text as typed, its check characters included; `min_length` and `max_length` count them too. Where all
cards of a site are equally long, setting both to that length rules out every shortened number.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from edge.errors import BadInput

UP, DOWN, REPEAT = 0, 1, 2

ENTERS: Final = frozenset({28, 96})  # KEY_ENTER, KEY_KPENTER
LEFT_SHIFT: Final = 42
SHIFTS: Final = frozenset({LEFT_SHIFT, 54})
LOCKS: Final = frozenset({58, 69})  # Caps Lock, Num Lock: they type nothing

LETTERS: Final[dict[int, str]] = {
    **{16 + i: key for i, key in enumerate("QWERTYUIOP")},
    **{30 + i: key for i, key in enumerate("ASDFGHJKL")},
    **{44 + i: key for i, key in enumerate("ZXCVBNM")},
}
DIGITS: Final[dict[int, str]] = {2 + i: key for i, key in enumerate("1234567890")}
KEYPAD: Final[dict[int, str]] = {
    **{71 + i: key for i, key in enumerate("789")},
    **{75 + i: key for i, key in enumerate("456")},
    **{79 + i: key for i, key in enumerate("1230")},
}

Strength = Literal["uid", "data", "signed"]
"""How hard a credential is to copy: a card's serial number or whatever a keyboard types (anybody can type it), what is
written on a card (a reader can read it off), or something signed."""

_DECIMAL = "0123456789"
_ALPHABETS: Final = {
    "luhn": _DECIMAL,
    "ean": _DECIMAL,
    "mod11-2": _DECIMAL,
    "xor": "0123456789ABCDEF",
    "mod37-36": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
}

# A frame that starts this many gaps after a broken-off one may be its tail, which would read as another, shorter card.
_TAIL_GAPS = 4
_LONGEST_MS = 5000
"""A frame that is nobody's already is told after so long, though its Enter never comes: a key is stuck."""


@dataclass(frozen=True)
class KeyEvent:
    """One key going down (1), up (0) or repeating (2). `time_ms` is on any one clock; only differences are used."""

    code: int
    value: int
    time_ms: int


@dataclass(frozen=True)
class Badge:
    """A whole frame, checked. `time_ms` is that of its Enter."""

    text: str
    time_ms: int


@dataclass(frozen=True)
class BadgeError:
    """A frame that is no badge: badge_frame_short, _long, _broken, _cut or badge_checksum."""

    reason: str
    time_ms: int


class WedgeDecoder:
    """The state between key events. `checksum` is one of those that `checksum_holds` knows.

    The reasons: `badge_frame_broken` for a key that types no digit or letter, a repeat, or a press and release that do
    not pair (so events were lost); `badge_frame_cut` for a silence above `gap_ms` before Enter, a clock that ran back,
    and a frame so soon after one of these that it may be its tail. Enter alone is no frame: many readers send two.
    A frame that goes on for longer than any badge is told and dropped; a key that is stuck then is one reason.
    """

    def __init__(self, min_length: int, max_length: int, checksum: str = "none", gap_ms: int = 300) -> None:
        self._min, self._max, self._checksum, self._gap = min_length, max_length, checksum, gap_ms
        self._open, self._began_ms = False, 0
        self._text: list[str] = []
        self._reason: str | None = None
        self._held: set[int] = set()
        self._stuck: set[int] = set()  # held when a frame had gone on for too long
        self._last_ms: int | None = None
        self._cut_ms: int | None = None

    @property
    def busy(self) -> bool:
        """A frame has begun and not ended."""
        return self._open

    def feed(self, events: Iterable[KeyEvent]) -> list[Badge | BadgeError]:
        """Take the next events, in order; what they complete comes out, in order."""
        found: list[Badge | BadgeError] = []
        for event in events:
            found.extend(self._check_time(event.time_ms))
            self._last_ms = event.time_ms
            if event.value == DOWN:
                found.extend(self._down(event))
            elif event.value == UP:
                self._up(event)
            elif event.value == REPEAT and event.code in self._stuck and not self._open:
                self._cut_ms = event.time_ms
            elif event.value != REPEAT or event.code not in SHIFTS | LOCKS | ENTERS:
                self._spoil("badge_frame_broken", event.time_ms)
        return found

    def idle(self, now_ms: int) -> list[Badge | BadgeError]:
        """No event came until `now_ms` (the events' clock): a frame that stood still too long is dropped."""
        if not self._open or self._last_ms is None or now_ms - self._last_ms <= self._gap:
            return []
        self._held.clear()
        return self._cut(self._last_ms)

    def lost(self, now_ms: int) -> None:
        """Events were lost about here: the frame they belong to, begun or not, is broken."""
        self._spoil("badge_frame_broken", now_ms)
        self._held.clear()
        self._last_ms = now_ms

    def opened(self, now_ms: int) -> None:
        """Listening starts now, perhaps in mid-frame: what begins at once may be a tail."""
        self._cut_ms = now_ms

    def ended(self, now_ms: int) -> list[Badge | BadgeError]:
        """The reader is gone: its frame is dropped, and the next reader starts afresh."""
        found = self._cut(now_ms)
        self._held.clear()
        self._last_ms = self._cut_ms = None
        return found

    def _check_time(self, time_ms: int) -> list[Badge | BadgeError]:
        if self._last_ms is None or 0 <= time_ms - self._last_ms <= self._gap:
            return self._too_long(time_ms)
        self._held.clear()
        # After a clock that ran back, the tail is to be looked for on the new time.
        return self._cut(self._last_ms if time_ms > self._last_ms else time_ms)

    def _too_long(self, now_ms: int) -> list[Badge | BadgeError]:
        longest = _LONGEST_MS if self._reason is not None else max(_LONGEST_MS, (self._max + 1) * self._gap)
        if not self._open or now_ms - self._began_ms <= longest:
            return []
        self._stuck = self._held - SHIFTS - LOCKS - ENTERS
        return self._cut(now_ms)

    def _down(self, event: KeyEvent) -> list[Badge | BadgeError]:
        twice = event.code in self._held
        self._stuck.discard(event.code)
        self._held.add(event.code)
        if event.code in ENTERS:
            if twice and self._open:
                self._spoil("badge_frame_broken", event.time_ms)
            return self._finish(event.time_ms)
        if twice:
            self._spoil("badge_frame_broken", event.time_ms)
        elif event.code in LETTERS:
            self._type(LETTERS[event.code], event.time_ms)
        elif event.code in DIGITS or event.code in KEYPAD:
            if self._held & SHIFTS:  # a punctuation mark or a cursor key
                self._spoil("badge_frame_broken", event.time_ms)
            else:
                self._type(DIGITS.get(event.code) or KEYPAD[event.code], event.time_ms)
        elif event.code not in SHIFTS | LOCKS:
            self._spoil("badge_frame_broken", event.time_ms)
        return []

    def _up(self, event: KeyEvent) -> None:
        if event.code in self._held:
            self._held.discard(event.code)
        elif self._open:  # its press was lost
            self._spoil("badge_frame_broken", event.time_ms)
        elif event.code not in ENTERS | SHIFTS | LOCKS:  # so were the presses before it, perhaps
            self._cut_ms = event.time_ms

    def _begin(self, time_ms: int) -> None:
        if self._open:
            return
        self._open, self._began_ms = True, time_ms
        if self._cut_ms is not None and abs(time_ms - self._cut_ms) <= _TAIL_GAPS * self._gap:
            self._reason = "badge_frame_cut"

    def _type(self, character: str, time_ms: int) -> None:
        self._begin(time_ms)
        if len(self._text) < self._max:
            self._text.append(character)
        else:
            self._spoil("badge_frame_long", time_ms)

    def _spoil(self, reason: str, time_ms: int) -> None:
        self._begin(time_ms)
        self._reason = self._reason or reason

    def _cut(self, at_ms: int) -> list[Badge | BadgeError]:
        if not self._open:
            return []
        reason = self._reason or "badge_frame_cut"
        self._clear()
        self._cut_ms = at_ms
        return [BadgeError(reason, at_ms)]

    def _finish(self, time_ms: int) -> list[Badge | BadgeError]:
        was_open, text, reason = self._open, "".join(self._text), self._reason
        self._clear()
        self._cut_ms = None  # after an Enter the framing is certain again
        if not was_open:
            return []
        if reason is None and len(text) < self._min:
            reason = "badge_frame_short"
        if reason is None and not checksum_holds(text, self._checksum):
            reason = "badge_checksum"
        return [Badge(text, time_ms) if reason is None else BadgeError(reason, time_ms)]

    def _clear(self) -> None:
        self._open, self._text, self._reason = False, [], None


class TapFilter:
    """Debounce: a badge seen again within `debounce_ms` of its last sight is the same tap, so a card left lying on
    the reader is one tap until it has been away that long. Two cards in one wallet are one tap each."""

    def __init__(self, debounce_ms: int) -> None:
        self._debounce = debounce_ms
        self._seen: dict[str, int] = {}

    def accept(self, badge: Badge) -> bool:
        """Whether this is a new tap."""
        recent = {text: at for text, at in self._seen.items() if 0 <= badge.time_ms - at < self._debounce}
        new = badge.text not in recent
        self._seen = {**recent, badge.text: badge.time_ms}
        return new


def checksum_holds(text: str, checksum: str) -> bool:
    """Whether the check characters at the end of `text` fit the rest.

    `none`: anything. `luhn`: digits only, the last by the Luhn formula (ISO/IEC 7812-1, annex B), as on bank and many
    staff cards. `ean`: digits only, the last as in EAN-13 and ITF-14 (weights 3 and 1). `xor`: pairs of hexadecimal
    digits, each a byte, the last byte the exclusive-or of those before it, as 125 kHz (EM4100) readers send. `mod11-2`:
    digits and a digit or X (ISO/IEC 7064, as GB 11643). `mod37-36`: digits and letters, all (ISO/IEC 7064).
    """
    if checksum == "none":
        return True
    characters = 2 if checksum == "xor" else 1
    try:
        return text[-characters:] == check_characters(text[:-characters], checksum)
    except BadInput:
        return False


def check_characters(body: str, checksum: str) -> str:
    """What must follow `body` (capital letters and digits) to make a badge: "", one character, or two hexadecimal ones.

    BadInput when `body` is empty or not of the characters that the checksum is defined for.
    """
    if checksum == "none":
        return ""
    if not body or not set(body) <= set(_ALPHABETS[checksum]):
        raise BadInput("badge_checksum_body", checksum=checksum)
    if checksum == "luhn":
        return str(-_luhn_sum(body) % 10)
    if checksum == "ean":
        return str(-sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(reversed(body))) % 10)
    if checksum == "mod11-2":
        total = 0
        for digit in body:
            total = (total + int(digit)) * 2 % 11
        return "0123456789X"[(12 - total) % 11]
    if checksum == "mod37-36":
        return _mod37_36(body)
    if len(body) % 2:
        raise BadInput("badge_checksum_body", checksum=checksum)
    total = 0
    for byte in bytes.fromhex(body):
        total ^= byte
    return f"{total:02X}"


def _mod37_36(body: str) -> str:
    """The hybrid system of ISO/IEC 7064 over 36 characters."""
    alphabet = _ALPHABETS["mod37-36"]
    product = 36
    for character in body:
        product = ((product + alphabet.index(character)) % 36 or 36) * 2 % 37
    return alphabet[(37 - product) % 36]


def _luhn_sum(body: str) -> int:
    """The sum over `body` with every second digit doubled, beginning with its last."""
    total = 0
    for place, digit in enumerate(reversed(body)):
        number = int(digit) * (2 if place % 2 == 0 else 1)
        total += number - 9 if number > 9 else number
    return total
