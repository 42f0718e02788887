"""How far the wall clock is believed, by what the box has to keep time with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge import clock
from edge.clock import TimeQuality

NOW_S = clock.wall_ms() // 1000


@pytest.mark.parametrize(
    ("synchronised", "chip", "saved", "quality", "held"),
    [
        (True, "0", NOW_S, TimeQuality.SYNCHRONISED, True),
        (False, str(NOW_S), None, TimeQuality.RTC, True),
        (False, "93", NOW_S, TimeQuality.FLOOR, False),  # a Pi 5 whose battery was never there
        (False, "", NOW_S, TimeQuality.FLOOR, False),
        (False, None, NOW_S, TimeQuality.FLOOR, False),
        (False, None, 0, TimeQuality.UNKNOWN, False),
        (False, None, None, TimeQuality.UNKNOWN, False),
    ],
    ids=["network", "chip", "chip without a battery", "empty chip", "saved alone", "saved in 1970", "nothing"],
)
def test_the_wall_clock_is_believed_by_what_keeps_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    synchronised: bool,
    chip: str | None,
    saved: int | None,
    quality: TimeQuality,
    held: bool,
) -> None:
    files = {name: tmp_path / name for name in ("synchronised", "chip", "saved")}
    if synchronised:
        files["synchronised"].touch()
    if chip is not None:
        files["chip"].write_text(chip)
    if saved is not None:
        files["saved"].touch()
        os.utime(files["saved"], (saved, saved))
    monkeypatch.setattr(clock, "_SYNCHRONISED", files["synchronised"])
    monkeypatch.setattr(clock, "_RTC", files["chip"])
    monkeypatch.setattr(clock, "_SAVED", (tmp_path / "none", files["saved"]))
    clock._unsynchronised.cache_clear()
    try:
        assert clock.quality() is quality
        assert quality.held is held
    finally:
        clock._unsynchronised.cache_clear()
