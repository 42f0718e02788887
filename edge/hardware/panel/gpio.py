"""The panel on GPIO pins, through gpiozero. The pin factory is ours and passed on, never gpiozero's global one.

Wiring: the button between its pin and ground (the pin is pulled up, so pressed is low), or 3.3 V where the option
`button_pull_up` is false (pulled down, pressed is high); each lamp and the buzzer on a pin of its own, lit by a high
pin, or by a low one where `active_high` is false; `buzzer_active_high` for a buzzer that differs. BCM numbers.
"""

from __future__ import annotations

import importlib
import logging
import threading
from contextlib import ExitStack
from typing import Any

from gpiozero import LED, Button, Buzzer
from gpiozero.exc import GPIOPinInUse, GPIOZeroError, PinInvalidPin
from gpiozero.pins.mock import MockFactory, MockPin

from edge import clock
from edge.config import Panel as Options
from edge.errors import ConfigError
from edge.hardware.panel import LAMPS, Panel, PanelState, Pattern, SilentPanel
from edge.hardware.panel.control import ControlPipe
from edge.hardware.panel.patterns import SHOWS, STEADY, Rhythm
from edge.hardware.panel.presses import PressFilter
from edge.why import why

_log = logging.getLogger(__name__)
# gpiozero has a thread a button to see how long it is held, which nothing here asks; close waits for it this long.
_HOLD_S = 0.05


def open_gpio(options: Options) -> Panel:
    """The panel on the factory's pins; a silent one when the factory or its chip is not there. ConfigError as
    `edge.hardware.panel.open_panel` says."""
    if options.pin_factory == "mock":
        return GpioPanel(options, MockFactory(pin_class=MockPin))
    try:
        lgpio = importlib.import_module("lgpio")
        factory = importlib.import_module("gpiozero.pins.lgpio").LGPIOFactory()
    except ImportError:
        return SilentPanel("panel_driver")
    except Exception as error:
        # lgpio does work as it is imported (a thread, a notification file) and has an error class of its own, out of
        # reach until that has succeeded: no chip, no permission and no Raspberry Pi all end here.
        _log.warning("no GPIO for the panel: %s", error)
        return SilentPanel("panel_missing")
    try:
        return GpioPanel(options, factory)
    except (lgpio.error, OSError, GPIOZeroError) as error:
        _log.warning("the panel's pins cannot be had: %s", error)
        return SilentPanel("panel_missing")


class GpioPanel:
    """A `Panel` on the pins of `factory`, which it closes with itself, and when it cannot be made."""

    def __init__(self, options: Options, factory: Any) -> None:
        self._presses = 0
        self._pressed = threading.Condition()
        self._filter = PressFilter(options.debounce_ms)
        self._closed = False
        with ExitStack() as undo:
            undo.callback(factory.close)
            self._outputs: dict[str, Any] = {}
            try:
                for name in LAMPS:
                    kind = Buzzer if name == "buzzer" else LED
                    high = options.active_high
                    if name == "buzzer" and options.buzzer_active_high is not None:
                        high = options.buzzer_active_high
                    device = kind(getattr(options, name), active_high=high, pin_factory=factory)
                    undo.callback(device.close)
                    undo.callback(device.off)
                    self._outputs[name] = device
                name = "button"
                self._button = Button(
                    options.button, pull_up=options.button_pull_up, hold_time=_HOLD_S, pin_factory=factory
                )
            except (PinInvalidPin, GPIOPinInUse) as error:
                raise ConfigError("panel_pins", detail=f"{name} = {getattr(options, name)}") from error
            undo.callback(self._button.close)
            self._button.when_pressed = self._went_down
            self._button.when_released = self._went_up
            if options.pin_factory == "mock" and options.control is not None:
                pin = self._button.pin
                low, high = pin.drive_low, pin.drive_high
                acts = {"press": low, "release": high} if options.button_pull_up else {"press": high, "release": low}
                try:
                    control = ControlPipe(options.control, acts)
                except OSError as error:
                    raise ConfigError("panel_control", path=options.control, detail=why(error)) from error
                undo.callback(control.close)
            self._undo = undo.pop_all()

    def show(self, pattern: Pattern) -> None:
        if self._closed:
            return
        show = SHOWS[pattern]
        for name, device in self._outputs.items():
            rhythm = show.beep if name == "buzzer" else show.light if name == show.lamp else None
            _play(device, rhythm)

    def poll_presses(self, timeout_s: float) -> int:
        with self._pressed:
            self._pressed.wait_for(lambda: self._presses > 0, timeout_s)
            presses, self._presses = self._presses, 0
        return presses

    def lamps(self) -> dict[str, bool]:
        if self._closed:
            return dict.fromkeys(LAMPS, False)
        return {name: bool(device.is_active) for name, device in self._outputs.items()}

    def state(self) -> PanelState:
        return PanelState(not self._closed, "panel_missing" if self._closed else None)

    def close(self) -> None:
        self._closed = True
        self._undo.close()

    # gpiozero calls these from its own thread (lgpio) or the control's (mock).
    def _went_down(self) -> None:
        self._edge(True)

    def _went_up(self) -> None:
        self._edge(False)

    def _edge(self, pressed: bool) -> None:
        with self._pressed:
            if self._filter.edge(pressed, clock.mono_ms()):
                self._presses += 1
                self._pressed.notify()


def _play(device: Any, rhythm: Rhythm | None) -> None:
    if rhythm is None:
        device.off()
    elif rhythm == STEADY:
        device.on()
    else:
        device.blink(rhythm.on_s, rhythm.off_s, rhythm.times)
