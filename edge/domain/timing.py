"""The exam clock: elapsed time that survives reboots and clock steps, and how much is left to whom."""

from __future__ import annotations

from dataclasses import dataclass, replace


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

    def elapsed(self, boot_id: str, mono_ms: int) -> int:
        if not self.running or boot_id != self.boot_id:
            return self.elapsed_ms
        return self.elapsed_ms + max(0, mono_ms - self.mono_ms)

    def tick(self, boot_id: str, mono_ms: int) -> ExamClock:
        """The same clock written down now."""
        return replace(self, elapsed_ms=self.elapsed(boot_id, mono_ms), boot_id=boot_id, mono_ms=mono_ms)

    def set_running(self, running: bool, boot_id: str, mono_ms: int) -> ExamClock:
        return replace(self.tick(boot_id, mono_ms), running=running)


def left_ms(minutes: int, extra_ms: int, elapsed_ms: int) -> int:
    """What one candidate has left, never below zero."""
    return max(0, minutes * 60_000 + extra_ms - elapsed_ms)


def state_of(session_state: str, running: bool, left: int, handed_in: bool) -> str:
    """What a candidate's page shows: waiting, running, paused, done or closed."""
    if handed_in:
        return "done"
    if session_state in ("planned", "checkin"):
        return "waiting"
    if session_state in ("closed", "signed") or left == 0:
        return "closed"
    return "running" if running else "paused"
