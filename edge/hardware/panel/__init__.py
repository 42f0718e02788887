"""The panel by the door: a button, three lamps, a buzzer. Without its hardware it is a silent one that says why.

gpio    gpiozero on pins of the factory that the configuration names (lgpio on a Pi, mock on a desk)
none    no panel
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from edge.config import Panel as Options

LAMPS = ("red", "yellow", "green", "buzzer")


class Pattern(StrEnum):
    """What the panel can say; `edge.hardware.panel.patterns` has how."""

    READY = "ready"
    LOOK_HERE = "look_here"
    WELCOME = "welcome"
    SEE_PROCTOR = "see_proctor"
    FAULT = "fault"
    RECORDING_FAULT = "recording_fault"
    OFF = "off"


@dataclass(frozen=True)
class PanelState:
    """Whether the panel is there; when it is not, the catalogued `reason` to show."""

    present: bool
    reason: str | None = None


class Panel(Protocol):
    """What every backend gives. One thread uses it; no call raises for hardware that is missing."""

    def show(self, pattern: Pattern) -> None:
        """Say this until the next. Shown again it begins again, its beep too."""

    def poll_presses(self, timeout_s: float) -> int:
        """How often the button was pressed since the last call, waiting at most `timeout_s` for the first press."""

    def lamps(self) -> dict[str, bool]:
        """What is lit or sounding now, by the names in `LAMPS`, read back from the pins."""

    def state(self) -> PanelState: ...

    def close(self) -> None:
        """All off, pins released, no thread left; may be called twice."""


class SilentPanel:
    """Nothing to show on and nothing to press: the kiosk's screen says all there is to say."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def show(self, pattern: Pattern) -> None:
        return

    def poll_presses(self, timeout_s: float) -> int:
        time.sleep(timeout_s)
        return 0

    def lamps(self) -> dict[str, bool]:
        return dict.fromkeys(LAMPS, False)

    def state(self) -> PanelState:
        return PanelState(False, self._reason)

    def close(self) -> None:
        return


def open_panel(options: Options) -> Panel:
    """The panel of the configuration; a silent one where its hardware is missing.

    ConfigError: pins that do not exist or are given twice, or a control path that cannot be a pipe.
    """
    if options.backend == "none":
        return SilentPanel("panel_off")
    try:
        from edge.hardware.panel.gpio import open_gpio
    except ImportError:  # no gpiozero
        return SilentPanel("panel_driver")
    return open_gpio(options)
