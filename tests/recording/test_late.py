"""When late recording is told, entered and answered with a lower bitrate, by a clock in the hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from edge.domain.reasons import sentence
from edge.recording.indexer import Note
from edge.recording.late import Late


@dataclass
class Stage:
    """Stands for pen, recorder and camera: what they say now, and what the camera was asked for."""

    behind: int = 0
    lost_ms: int = 0
    last_fragment_mono_ms: int = 0
    can: bool = True
    asked: list[float] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    now: int = 100_000

    def __post_init__(self) -> None:
        self.late = Late("door", self.notes.append)
        self.late.opened(self.now)

    def behind_ms(self, _now_ms: int) -> int:
        return self.behind

    def ease(self, share: float) -> bool:
        self.asked.append(share)
        return self.can

    def on(self, milliseconds: int, *, synced: bool = True) -> str | None:
        """Time goes on, in the camera process's steps."""
        found = None
        for _ in range(0, milliseconds, 200):
            self.now += 200
            self.last_fragment_mono_ms = self.now - 1000 if synced else self.last_fragment_mono_ms
            me = cast("Any", self)
            found = self.late.judge(self.now, me, me)
            self.late.ease(me, self.now)
        if found is not None:
            for lang in ("zh", "en"):
                assert "{" not in sentence(found[0], lang, **found[1])
        return found and found[0]

    @property
    def told(self) -> list[tuple[object, ...]]:
        return [
            (n.body["state"], n.body.get("reason", n.body.get("lost_ms")))
            for n in self.notes
            if n.body["state"] != "bitrate"
        ]


def test_behind_is_told_at_once_and_over_when_it_has_been_good_for_a_while() -> None:
    stage = Stage()
    stage.behind = 1900
    assert stage.on(60_000) is None
    stage.behind = 2100
    assert stage.on(200) == "recording_behind"
    stage.behind = 900
    assert stage.on(4800) == "recording_behind"
    stage.behind = 1500
    assert stage.on(200) == "recording_behind"
    stage.behind = 100
    assert stage.on(5000) == "recording_behind"
    assert stage.on(400) is None
    assert stage.told == [("behind", "recording_behind"), ("caught-up", 0)]
    stage.behind = 3000
    assert stage.on(1000) == "recording_behind"
    assert len(stage.told) == 2, "shown, and not entered again within half a minute"


def test_loss_is_told_and_its_length_entered() -> None:
    stage = Stage(behind=4000)
    assert stage.on(200) == "recording_behind"
    stage.lost_ms = 1000
    assert stage.on(200) == "recording_losing"
    stage.lost_ms = 7000
    stage.behind = 0
    assert stage.on(4000) == "recording_losing"
    assert stage.on(10_000) is None
    assert stage.told == [("behind", "recording_behind"), ("caught-up", 7000)]


def test_pictures_without_anything_new_on_the_disk_are_told_in_five_seconds() -> None:
    stage = Stage(last_fragment_mono_ms=99_500)
    assert stage.on(4000, synced=False) is None
    assert stage.on(800, synced=False) == "recording_unsynced"
    assert stage.asked == [], "less of it would not help"
    stage.late.paused(stage.now)
    assert stage.on(3000, synced=False) == "recording_unsynced", "till it is good"
    assert stage.on(8000) is None
    assert stage.told == [("behind", "recording_unsynced"), ("caught-up", 0)]


def test_the_camera_is_asked_for_less_and_for_more_again_after_a_good_minute() -> None:
    stage = Stage(behind=5000)
    stage.on(30_000)
    assert stage.asked == [0.6, 0.36, 0.22, 0.2]
    assert stage.late.percent == 20
    stage.behind = 0
    stage.on(59_000)
    assert len(stage.asked) == 4
    stage.on(250_000)
    assert stage.asked[4:] == [0.33, 0.55, 0.92, 1.0]
    percents = [n.body["percent"] for n in stage.notes if n.body["state"] == "bitrate"]
    assert percents == [60, 36, 22, 20, 33, 55, 92, 100]


@pytest.mark.parametrize("opened_again", [False, True])
def test_one_that_comes_coded_is_asked_once(opened_again: bool) -> None:
    stage = Stage(behind=5000, can=False)
    stage.on(20_000)
    if opened_again:
        stage.late.opened(stage.now)
        stage.on(10_000)
    assert stage.asked == [0.6, 0.6][: 1 + opened_again]
    assert stage.late.percent == 100
    assert all(n.body["state"] != "bitrate" for n in stage.notes)
