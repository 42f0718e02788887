"""The panel through gpiozero itself, on its mock pins."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import gpiozero
import pytest
from gpiozero.pins.mock import MockFactory, MockPin

from edge.config import Panel as Options
from edge.domain.reasons import REASONS
from edge.errors import ConfigError, Unavailable
from edge.hardware.panel import LAMPS, Panel, PanelState, Pattern, SilentPanel, open_panel
from edge.hardware.panel.gpio import GpioPanel
from edge.hardware.panel.patterns import SHOWS
from edge.hardware.panel.presses import PressFilter
from edge.hardware.panel.simulator import press

PINS = {"red": 22, "yellow": 23, "green": 24, "buzzer": 25}
DARK = dict.fromkeys(LAMPS, False)


def options(**more: object) -> Options:
    return Options.model_validate({"backend": "gpio", "pin_factory": "mock"} | more)


@pytest.fixture
def factory() -> MockFactory:
    return MockFactory(pin_class=MockPin)


@pytest.fixture
def panel(factory: MockFactory) -> Iterator[GpioPanel]:
    before = set(threading.enumerate())
    found = GpioPanel(options(), factory)
    yield found
    found.close()
    assert set(threading.enumerate()) <= before


def wait_for(condition: Callable[[], bool], timeout_s: float = 3.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.005)
    return False


def changes(pin: Any) -> list[bool]:
    return [state.state for state in pin.states]


@pytest.mark.parametrize(
    ("pattern", "lit"),
    [(Pattern.READY, "yellow"), (Pattern.WELCOME, "green"), (Pattern.SEE_PROCTOR, "red"), (Pattern.OFF, None)],
)
def test_a_steady_pattern_lights_its_pin_alone(
    panel: GpioPanel, factory: MockFactory, pattern: Pattern, lit: str | None
) -> None:
    panel.show(Pattern.FAULT)
    panel.show(pattern)
    assert wait_for(lambda: not panel.lamps()["buzzer"])
    assert panel.lamps() == {name: name == lit for name in LAMPS}
    assert {name: bool(factory.pin(number).state) for name, number in PINS.items()} == panel.lamps()


@pytest.mark.parametrize("pattern", [Pattern.LOOK_HERE, Pattern.FAULT, Pattern.RECORDING_FAULT])
def test_a_blinking_pattern_blinks_until_the_next(panel: GpioPanel, factory: MockFactory, pattern: Pattern) -> None:
    lamp = SHOWS[pattern].lamp
    assert lamp is not None
    pin = factory.pin(PINS[lamp])
    pin.clear_states()
    panel.show(pattern)
    assert wait_for(lambda: len(changes(pin)) >= 4)
    assert changes(pin)[:4] == [False, True, False, True]
    panel.show(Pattern.OFF)
    assert panel.lamps() == DARK
    pin.clear_states()
    time.sleep(0.4)
    assert changes(pin) == [False]


@pytest.mark.parametrize(
    ("pattern", "beeps"),
    [(Pattern.READY, 0), (Pattern.LOOK_HERE, 1), (Pattern.WELCOME, 1), (Pattern.SEE_PROCTOR, 2), (Pattern.FAULT, 0)],
)
def test_each_pattern_has_its_beeps(panel: GpioPanel, factory: MockFactory, pattern: Pattern, beeps: int) -> None:
    buzzer = factory.pin(PINS["buzzer"])
    buzzer.clear_states()
    panel.show(pattern)
    wanted = [False] + [True, False] * beeps
    assert wait_for(lambda: changes(buzzer) == wanted)
    time.sleep(0.3)
    assert changes(buzzer) == wanted


def test_active_low_lamps_are_lit_by_a_low_pin(factory: MockFactory) -> None:
    panel = GpioPanel(options(active_high=False), factory)
    assert panel.lamps() == DARK
    assert all(factory.pin(number).state for number in PINS.values())
    panel.show(Pattern.WELCOME)
    assert panel.lamps()["green"]
    assert not factory.pin(PINS["green"]).state
    assert factory.pin(PINS["red"]).state
    factory.pin(17).drive_low()  # the button is wired to ground all the same
    assert panel.poll_presses(1) == 1
    panel.close()


def test_a_buzzer_and_a_button_of_their_own_polarity(factory: MockFactory, tmp_path: Path) -> None:
    panel = GpioPanel(options(buzzer_active_high=False, button_pull_up=False, control=str(tmp_path / "b")), factory)
    assert panel.lamps() == DARK
    assert {name: bool(factory.pin(number).state) for name, number in PINS.items()} == DARK | {"buzzer": True}
    press(tmp_path / "b", 0.06)
    assert panel.poll_presses(1) == 1
    factory.pin(17).drive_low()
    assert panel.poll_presses(0) == 0
    panel.close()


def test_a_press_that_bounces_counts_once(panel: GpioPanel, factory: MockFactory) -> None:
    pin = factory.pin(17)
    for _ in range(5):
        pin.drive_low()
        pin.drive_high()
    pin.drive_low()
    time.sleep(0.1)
    for _ in range(5):  # and so it does on its way up
        pin.drive_high()
        pin.drive_low()
    pin.drive_high()
    assert panel.poll_presses(0) == 1
    assert panel.poll_presses(0) == 0


def test_presses_apart_count_each(panel: GpioPanel, factory: MockFactory) -> None:
    pin = factory.pin(17)
    for _ in range(3):
        pin.drive_low()
        time.sleep(0.06)
        pin.drive_high()
        time.sleep(0.06)
    assert panel.poll_presses(0) == 3


def test_a_press_ends_the_wait(panel: GpioPanel, factory: MockFactory) -> None:
    finger = threading.Timer(0.05, factory.pin(17).drive_low)
    finger.start()
    start = time.monotonic()
    assert panel.poll_presses(5) == 1
    assert time.monotonic() - start < 2
    finger.join()
    start = time.monotonic()
    assert panel.poll_presses(0.05) == 0
    assert time.monotonic() - start >= 0.05


@pytest.mark.parametrize(
    ("edges", "presses"),
    [
        ([(True, 0)], 1),
        ([(True, 0), (False, 3), (True, 6)], 1),
        ([(True, 0), (False, 1000), (True, 1002), (False, 1004)], 1),
        ([(True, 0), (False, 40), (True, 89)], 1),
        ([(True, 0), (False, 40), (True, 90)], 2),
        ([(False, 0), (True, 60)], 1),
    ],
)
def test_the_filter(edges: list[tuple[bool, int]], presses: int) -> None:
    button = PressFilter(50)
    assert sum(button.edge(pressed, at) for pressed, at in edges) == presses


def test_close_leaves_nothing_lit_and_no_thread(factory: MockFactory) -> None:
    before = set(threading.enumerate())
    panel = GpioPanel(options(), factory)
    panel.show(Pattern.FAULT)
    pins = [factory.pin(number) for number in PINS.values()]
    panel.close()
    panel.close()
    panel.show(Pattern.READY)
    assert set(threading.enumerate()) <= before
    assert not any(pin.state for pin in pins)
    assert panel.lamps() == DARK
    assert not panel.state().present


def test_the_global_pin_factory_is_left_alone(panel: GpioPanel) -> None:
    assert panel.state() == PanelState(True)
    assert gpiozero.Device.pin_factory is None


# --- the simulated finger --------------------------------------------------------------------------------------------


@pytest.fixture
def control(tmp_path: Path) -> Path:
    return tmp_path / "run" / "button"


@pytest.fixture
def pushed(control: Path) -> Iterator[Panel]:
    before = set(threading.enumerate())
    found = open_panel(options(control=control))
    yield found
    found.close()
    found.close()
    assert set(threading.enumerate()) <= before


def test_a_line_in_the_pipe_pushes_the_button(pushed: Panel, control: Path) -> None:
    for _ in range(3):
        press(control, 0.06)
        assert pushed.poll_presses(2) == 1
        time.sleep(0.06)
    assert pushed.poll_presses(0.05) == 0


def test_other_lines_push_nothing(pushed: Panel, control: Path, caplog: pytest.LogCaptureFixture) -> None:
    hand = os.open(control, os.O_WRONLY)
    os.write(hand, b"pull\nPRESS\n" + b"x" * 3000 + b"press\n\xff\xfe\n\npress")
    os.close(hand)  # the last line never ended
    assert pushed.poll_presses(0.2) == 0
    assert "simulated button" in caplog.text
    press(control, 0)
    assert pushed.poll_presses(2) == 1


def test_a_finger_without_a_panel_is_told(control: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        press(control)
    assert caught.value.code == "panel_nobody"


def test_a_control_path_that_is_no_pipe_is_a_wrong_option(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    path = tmp_path / "button"
    path.write_text("keep")
    with pytest.raises(ConfigError, match=r"panel\.control"):
        open_panel(options(control=path))
    assert path.read_text() == "keep"
    assert set(threading.enumerate()) <= before


# --- missing and wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [{"red": 17}, {"green": 23}, {"button": 99}, {"buzzer": -1}])
def test_wrong_pins_are_a_wrong_option(wrong: dict[str, int]) -> None:
    before = set(threading.enumerate())
    with pytest.raises(ConfigError, match=r"options of panel") as caught:
        open_panel(options().model_copy(update=wrong))  # a chip that has fewer pins than the options allow
    assert caught.value.exit_code == 2
    assert set(threading.enumerate()) <= before


class LgpioError(Exception):
    """lgpio's own error class descends from Exception alone."""


def lgpio(open_chip: Callable[[], object]) -> tuple[ModuleType, ModuleType]:
    """Stand-ins for lgpio and for gpiozero's factory on it; the latter opens the chip as it is made."""
    driver, pins = ModuleType("lgpio"), ModuleType("gpiozero.pins.lgpio")
    driver.error = LgpioError  # type: ignore[attr-defined]
    pins.LGPIOFactory = open_chip  # type: ignore[attr-defined]
    return driver, pins


@pytest.mark.parametrize(
    "error",
    [LgpioError("can not open gpiochip"), PermissionError("/dev/gpiochip0"), gpiozero.exc.PinUnknownPi("no Pi")],
)
def test_no_chip_is_a_state(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail() -> object:
        raise error

    for module in lgpio(fail):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    assert open_panel(options(pin_factory="lgpio")).state() == PanelState(False, "panel_missing")


def test_the_chip_of_a_pi_is_used_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in lgpio(lambda: MockFactory(pin_class=MockPin)):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    panel = open_panel(options(pin_factory="lgpio"))
    assert panel.state() == PanelState(True)
    panel.show(Pattern.READY)
    assert panel.lamps()["yellow"]
    panel.close()


def test_a_pin_that_the_chip_refuses_is_a_state(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(MockPin):  # type: ignore[misc]
        def _set_function(self, value: str) -> None:
            if value == "output":
                raise LgpioError("GPIO busy")
            super()._set_function(value)

    for module in lgpio(lambda: MockFactory(pin_class=Refusing)):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    assert open_panel(options(pin_factory="lgpio")).state() == PanelState(False, "panel_missing")


def test_without_lgpio_it_is_a_silent_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lgpio", None)
    panel = open_panel(options(pin_factory="lgpio"))
    assert panel.state() == PanelState(False, "panel_driver")
    for pattern in Pattern:
        panel.show(pattern)
    assert panel.lamps() == DARK
    start = time.monotonic()
    assert panel.poll_presses(0.05) == 0
    assert time.monotonic() - start >= 0.05
    panel.close()
    panel.close()


def test_without_gpiozero_it_is_a_silent_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "edge.hardware.panel.gpio", None)
    assert open_panel(options()).state() == PanelState(False, "panel_driver")


def test_no_panel_in_the_configuration() -> None:
    panel = open_panel(Options(backend="none"))
    assert isinstance(panel, SilentPanel)
    assert panel.state().reason == "panel_off"


def test_every_pattern_has_a_show_and_every_reason_a_sentence() -> None:
    assert set(SHOWS) == set(Pattern)
    for code in ("panel_off", "panel_missing", "panel_driver", "panel_pins", "panel_control", "panel_nobody"):
        assert REASONS[code].zh and REASONS[code].en
