"""The exam clock: elapsed time that survives reboots and clock steps, and how much is left to whom.

All times are milliseconds. The *exam clock* is one a session and stops when the room is paused. A candidate's *own
time* is the exam clock without what was not theirs: the room before a late start on full time, and their own pauses.
Limits are compared with own time only. More time adds to the whole exam and, in proportion, to each part; time made
good for an outage goes in full to the parts it hit, since they lost all of it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

JITTER_MS = 20_000
NO_GRACE_JITTER_MS = 5_000
LAG_MS = 5_000
"""An age up to this is believed as it is: no tablet that is polled every two seconds could show more."""
MOMENT_MS = 500
FLUSH_MS = 30_000
"""How long after a silence a tablet may still be sending what it had queued."""


@dataclass(frozen=True)
class ExamClock:
    """Elapsed milliseconds as last written down, and the monotonic moment of that writing.

    While `running`, time goes on from there within the same boot. After a reboot it goes on from what was written:
    the time the power was off is the room's outage, not the candidate's.
    """

    elapsed_ms: int
    running: bool
    boot_id: str
    mono_ms: int
    wall_ms: int = 0
    """The wall clock of that writing, to tell people how long an outage was; never used to count time."""
    op_id: str | None = None
    """The proctor's act that last started or stopped it."""

    def elapsed(self, boot_id: str, mono_ms: int) -> int:
        if not self.running or boot_id != self.boot_id:
            return self.elapsed_ms
        return self.elapsed_ms + max(0, mono_ms - self.mono_ms)

    def tick(self, boot_id: str, mono_ms: int) -> ExamClock:
        """The same clock written down now."""
        return replace(self, elapsed_ms=self.elapsed(boot_id, mono_ms), boot_id=boot_id, mono_ms=mono_ms)

    def set_running(self, running: bool, boot_id: str, mono_ms: int) -> ExamClock:
        return replace(self.tick(boot_id, mono_ms), running=running)


@dataclass(frozen=True)
class Outage:
    """A gap between two writings of a running exam clock, as the room measured it itself.

    `elapsed_ms`: the exam clock when it began. `cause`: `stopped` when `web` was gone, `stalled` when it was there and
    could not write, `reboot` when the box was off. In the first two the exam clock ran on through all of `ms`, which
    is what a credit would give back. Over a reboot it stood still: nobody lost any of it, `ms` is the wall clock's
    word (None where that cannot be believed) and no credit is proposed; the proctor may still give one, for what the
    room knows nothing of, such as a hall without light.
    """

    elapsed_ms: int
    ms: int | None
    cause: str
    from_wall_ms: int

    @property
    def proposed_ms(self) -> int:
        return 0 if self.cause == "reboot" else self.ms or 0


def outage_between(
    before: ExamClock, boot_id: str, mono_ms: int, wall_ms: int, *, wall_held: bool, own: bool, at_least_ms: int
) -> Outage | None:
    """What a running clock missed since it was last written; None for less than `at_least_ms`.

    `own`: the same process wrote it. `wall_held`: wall time is synchronised or held by an RTC.
    """
    if not before.running:
        return None
    if boot_id != before.boot_id:
        gone = wall_ms - before.wall_ms
        known = gone if wall_held and before.wall_ms and gone >= 0 else None
        return Outage(before.elapsed_ms, known, "reboot", before.wall_ms)
    gone = mono_ms - before.mono_ms
    if gone < at_least_ms:
        return None
    return Outage(before.elapsed_ms, gone, "stalled" if own else "stopped", before.wall_ms)


@dataclass(frozen=True)
class OwnClock:
    """One candidate's place on the exam clock."""

    late_ms: int | None = None
    """The exam clock when somebody late on full time came in; None for everybody else."""
    paused_ms: int = 0
    paused_at_ms: int | None = None
    """The exam clock when their pause began; None while they are not paused."""
    op_id: str | None = None

    @property
    def paused(self) -> bool:
        return self.paused_at_ms is not None

    def own(self, elapsed_ms: int) -> int:
        """Own time at `elapsed_ms` of the exam clock, never below zero."""
        at = elapsed_ms if self.paused_at_ms is None else min(elapsed_ms, self.paused_at_ms)
        return max(0, at - (self.late_ms or 0) - self.paused_ms)

    def pause(self, elapsed_ms: int, op_id: str | None = None) -> OwnClock:
        return self if self.paused else replace(self, paused_at_ms=elapsed_ms, op_id=op_id)

    def resume(self, elapsed_ms: int, op_id: str | None = None) -> OwnClock:
        if self.paused_at_ms is None:
            return self
        gone = max(0, elapsed_ms - self.paused_at_ms)
        return replace(self, paused_ms=self.paused_ms + gone, paused_at_ms=None, op_id=op_id)

    def forgive(self, ms: int) -> OwnClock:
        """Time that passed after the attempt was closed is not the candidate's when it is opened again."""
        return replace(self, paused_ms=self.paused_ms + max(0, ms))


@dataclass(frozen=True)
class Opened:
    """When a candidate opened a part: by the exam clock and by their own time."""

    elapsed_ms: int
    own_ms: int


@dataclass(frozen=True)
class Credit:
    """An outage made good: `ms`, for what was open when it began, at `elapsed_ms` of the exam clock."""

    elapsed_ms: int
    ms: int


@dataclass(frozen=True)
class Limits:
    """What one candidate's time is measured against. `extra_ms` is all they were given on top, `credits` included."""

    whole_ms: int
    extra_ms: int = 0
    parts: tuple[int | None, ...] = ()
    credits: tuple[Credit, ...] = ()
    grace_ms: int = 0
    earliest_ms: int = 0
    """Own time before which a candidate may not hand in."""
    late_full: bool = False
    """Admitted after the start, under a policy that gives such people the full time."""

    @property
    def end_ms(self) -> int:
        """Own time at which the exam is over."""
        return self.whole_ms + self.extra_ms

    def left(self, own_ms: int) -> int:
        return max(0, self.end_ms - own_ms)

    def part_end(self, index: int, opened: Opened, clock: OwnClock) -> int | None:
        """Own time at which part `index` is over, never after the exam's end; None for a part without a limit."""
        limit = self.parts[index] if index < len(self.parts) else None
        if limit is None:
            return None
        # whoever came in later on full time lost nothing by an outage before, and was given nothing for it
        own = [credit for credit in self.credits if clock.late_ms is None or clock.late_ms <= credit.elapsed_ms]
        given = self.extra_ms - sum(credit.ms for credit in own)
        length = limit + max(0, given) * limit // max(1, self.whole_ms)
        for credit in own:
            over_ms = opened.elapsed_ms + length + clock.paused_ms
            if opened.elapsed_ms <= credit.elapsed_ms < over_ms:
                length += credit.ms
        return min(self.end_ms, opened.own_ms + length)


@dataclass(frozen=True)
class Contact:
    """When the room last heard of a tablet, and its latest silence, all by one boot's monotonic clock."""

    heard_ms: int
    silent_from_ms: int | None
    """None: from before this process began, which is a silence of the room's own."""
    silent_until_ms: int

    @classmethod
    def first(cls, now_ms: int) -> Contact:
        return cls(now_ms, None, now_ms)

    def hear(self, now_ms: int) -> Contact:
        if now_ms - self.heard_ms < MOMENT_MS:
            return self  # asked with every request: nothing is made anew for what changes nothing
        if now_ms - self.heard_ms < LAG_MS:
            return replace(self, heard_ms=now_ms)
        return Contact(now_ms, self.heard_ms, now_ms)

    def believes(self, now_ms: int, age_ms: int) -> bool:
        """Whether an answer `age_ms` old could not have come earlier: its tablet was out of reach when it was given."""
        if age_ms <= LAG_MS:
            return True
        given = now_ms - age_ms
        began = self.silent_from_ms is None or given >= self.silent_from_ms - LAG_MS
        return began and given <= self.silent_until_ms and now_ms - self.silent_until_ms <= FLUSH_MS

    def was_away(self, from_ms: int, at_ms: int) -> bool:
        """Whether the tablet was out of reach at `at_ms`, and had been since about `from_ms`."""
        began = self.silent_from_ms is None or self.silent_from_ms < from_ms + LAG_MS
        return began and at_ms <= self.silent_until_ms


def in_pause(
    now_ms: int, since_ms: int, told_ms: int | None, contact: Contact | None, age_ms: int | None
) -> str | None:
    """What becomes of an answer that arrives while its candidate is paused, since `since_ms` of the monotonic clock.

    None: it was given before, and applies. `pause`: given in the pause on a tablet that could not know of it; it
    applies, with this flag. `paused`: the tablet knew, so it is kept and not applied: it had been told (at `told_ms`,
    in answer to its poll), or it was in reach for longer than any page goes without a poll. `age_ms`: as far as it is
    believed; one that is not counts as given now.
    """
    given = now_ms - (age_ms or 0)
    if given < since_ms:
        return None
    if told_ms is not None and told_ms >= since_ms and given >= told_ms + MOMENT_MS:
        return "paused"
    unaware = given < since_ms + LAG_MS or contact is None or contact.was_away(since_ms, given)
    return "pause" if unaware else "paused"


@dataclass(frozen=True)
class Reboot:
    """A power cut as this boot's monotonic clock has it: when the exam clock went on, and how long it had stood still.

    `ms`: None where no wall clock could be believed.
    """

    resumed_ms: int
    ms: int | None

    def covers(self, now_ms: int, age_ms: int) -> bool:
        """Whether an answer `age_ms` old was given, or may have been, while the clock stood still."""
        given = now_ms - age_ms
        return given < self.resumed_ms and (self.ms is None or given >= self.resumed_ms - self.ms)


def ruling(own_ms: int, end_ms: int, grace_ms: int, age_ms: int | None) -> str:
    """In time, grace or late, for something given `age_ms` before `own_ms`; None: its age is unknown or not believed.

    Grace is for what was given before the end and could not arrive in time; nothing else comes in after the end.
    """
    if own_ms < end_ms:
        return "in_time"
    if age_ms is not None and own_ms < end_ms + grace_ms and own_ms - age_ms < end_ms:
        return "grace"
    return "late"


def jitter_ms(attempt: str, grace_ms: int) -> int:
    """How long this attempt's page waits at the end before it hands in by itself: 0 to 20 s, well within the grace.

    Without a grace it is the room that hands in at the end; the pages' own word then only says that they heard of it,
    and still does not come all at once.
    """
    width = min(JITTER_MS, grace_ms // 2) or NO_GRACE_JITTER_MS
    return int.from_bytes(hashlib.sha256(attempt.encode()).digest()[:4], "big") % (width + 1)


def state_of(session_state: str, running: bool, left: int, handed_in: bool) -> str:
    """What a candidate's page shows: waiting, running, paused, done or closed."""
    if handed_in:
        return "done"
    if session_state in ("planned", "checkin"):
        return "waiting"
    if session_state in ("closed", "signed") or left == 0:
        return "closed"
    return "running" if running else "paused"
