"""Each way a camera goes blind is noticed within five seconds and its end too; an ordinary room alarms nobody."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
import pytest

from edge.domain.sight import Cadence, Look, Sight, Telling, Watch
from edge.hardware.camera.eye import Eye, moved, small_of
from support.scenes import Image, Sensor, covered, person, room

FPS, LOOKS = 10, 5
ROOM = room()
BLANK_WALL = np.tile(np.linspace(150, 120, 320, dtype=np.float32)[None, :, None], (180, 1, 3))
GOOD_S, BAD_S = 5.0, 10.0


def told(scene: Callable[[float], Image], seconds: float, *, exact: bool = True) -> list[tuple[float, str | None]]:
    """Each change of the judgement, with its time in seconds, of pictures at FPS seen LOOKS times a second."""
    eye, watch, found = Eye(), Watch(exact=exact), list[tuple[float, str | None]]()
    for n in range(round(seconds * FPS)):
        at = n / FPS
        picture = scene(at)
        eye.lines(picture[::8, :, 0])
        if n % (FPS // LOOKS) == 0:
            code = watch.look(eye.look(picture, 1_000_000 + round(at * 1000))).code
            if code != (found[-1][1] if found else None):
                found.append((at, code))
    return found


def faulty(bad: Callable[[float], Image]) -> Callable[[float], Image]:
    """A good room, from GOOD_S on `bad`, from BAD_S on a good room again."""
    sensor = Sensor()
    return lambda at: bad(at) if GOOD_S <= at < BAD_S else sensor.take(ROOM)


def _frozen() -> Callable[[float], Image]:
    still = Sensor(seed=9).take(ROOM)
    return lambda _at: still


def _doubled() -> Callable[[float], Image]:
    sensor, kept = Sensor(seed=9), dict[int, Image]()
    return lambda at: kept.setdefault(round(at * FPS) // 2, sensor.take(ROOM))


def _plain(level: float, noise: float) -> Callable[[float], Image]:
    sensor, flat = Sensor(seed=9), np.full_like(ROOM, level)
    return lambda _at: sensor.take(flat, noise)


def _thumb(noise: float) -> Callable[[float], Image]:
    sensor, thumb = Sensor(seed=9), covered()
    return lambda _at: sensor.take(thumb, noise)


def _taped() -> Callable[[float], Image]:
    sensor, soft = Sensor(seed=9), cv2.GaussianBlur(ROOM, (0, 0), 30)
    return lambda _at: sensor.take(np.asarray(soft, np.float32))


def _night() -> Callable[[float], Image]:
    sensor = Sensor(seed=9)
    return lambda _at: sensor.take(ROOM * 0.1, 4.0)


def _torch(size: float = 1.0) -> Callable[[float], Image]:
    """Its glare whites out all but the corners; 43 % of the picture at a size of 0.61."""
    sensor = Sensor(seed=9)
    y, x = np.mgrid[0 : ROOM.shape[0], 0 : ROOM.shape[1]].astype(np.float32)
    glare = 700 * np.exp(-(((x - 165) / (130 * size)) ** 2) - ((y - 85) / (100 * size)) ** 2)
    return lambda _at: sensor.take(ROOM + glare[..., None])


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (_frozen(), "camera_frozen"),
        (_doubled(), "camera_doubled"),
        (_plain(0, 0), "camera_black"),
        (_plain(6, 1.5), "camera_black"),
        (_night(), "camera_dark"),
        (_thumb(2), "camera_covered"),
        (_thumb(12), "camera_covered"),
        (_plain(128, 3), "camera_covered"),
        (_taped(), "camera_covered"),
        (_plain(255, 2), "camera_blinded"),
        (_torch(), "camera_blinded"),
        (_torch(0.61), "camera_blinded"),
    ],
    ids=[
        "frozen",
        "doubled",
        "cut",
        "cap",
        "night",
        "thumb",
        "thumb-noisy",
        "sticker",
        "tape",
        "white",
        "torch",
        "small-torch",
    ],
)
def test_each_fault_is_told_within_five_seconds_and_so_is_its_end(bad: Callable[[float], Image], code: str) -> None:
    (began, first), (ended, second) = told(faulty(bad), BAD_S + 6)
    assert (first, second) == (code, None)
    assert GOOD_S < began < GOOD_S + 4
    assert BAD_S < ended < BAD_S + 4


def test_before_a_bare_wall_only_what_is_flatter_is_a_cover() -> None:
    sensor, wall, sticker = Sensor(), BLANK_WALL * 0.55 + 50, np.full_like(ROOM, 90)
    seen = told(lambda at: sensor.take(sticker if at > 14 else wall), 20)
    assert [code for _, code in seen] == ["camera_covered"]
    assert seen[0][0] > 14


def test_a_camera_that_starts_covered_is_told_without_a_past() -> None:
    (at, code), *rest = told(_plain(90, 3), 6)
    assert (code, rest) == ("camera_covered", [])
    assert at < 4


def _walking(at: float) -> Image:
    where = 0.5 + 0.6 * math.sin(at * 0.9)
    return _SENSOR.take(person(ROOM, where, 0.55 + 0.4 * math.sin(at * 0.37)))


_SENSOR = Sensor()
_WINDOW = ROOM.copy()
_WINDOW[:, : _WINDOW.shape[1] * 35 // 100] = 255


@pytest.mark.parametrize(
    "scene",
    [
        _walking,
        lambda at: _SENSOR.take(ROOM),
        lambda at: _SENSOR.take(ROOM, 0.5),
        lambda at: _SENSOR.take(ROOM, 9.0),
        lambda at: _SENSOR.take(ROOM * (0.6 + 0.4 * math.cos(at / 6))),
        lambda at: _SENSOR.take(ROOM * (1.0 if at % 7 < 4 else 0.3)),
        lambda at: _SENSOR.take(person(ROOM, 0.5, 1.6 if at > 8 else 0.2)),
        lambda at: _SENSOR.take(BLANK_WALL),
        lambda at: _SENSOR.take(_WINDOW),
        lambda at: _SENSOR.take(ROOM * 0.05, 3.0) if at % 3 < 1.6 else _SENSOR.take(ROOM),
    ],
    ids=["walking", "still", "quiet", "noisy", "dusk", "lamp", "close", "wall", "window", "flicker"],
)
def test_an_ordinary_room_alarms_nobody(scene: Callable[[float], Image]) -> None:
    assert told(scene, 24) == []


def test_coded_pictures_of_a_room_alarm_nobody_and_a_frozen_one_does(tmp_path: Path) -> None:
    """Through H.264, which makes a still picture's noise its own: at a bit rate a network camera has."""

    def judged(still: bool) -> list[str | None]:
        from edge.demo.clip import write_clip

        frozen, path = Sensor().take(ROOM), tmp_path / f"{still}.mp4"
        sensor = Sensor()
        write_clip(path, (frozen if still else sensor.take(ROOM) for _ in range(6 * FPS)), FPS, bitrate=500_000)
        eye, watch, codes = Eye(), Watch(exact=False), list[str | None]()
        with av.open(str(path)) as container:
            for n, frame in enumerate(container.decode(video=0)):
                eye.frame(frame)
                if n % 2 == 0:
                    picture = frame.to_ndarray(format="bgr24").astype(np.uint8, copy=False)
                    codes.append(watch.look(eye.look(picture, n * 1000 // FPS)).code)
        return codes

    assert set(judged(still=False)) == {None}
    assert judged(still=True)[-1] == "camera_frozen"


def test_what_moves_and_what_does_not() -> None:
    sensor = Sensor(4.0)

    def small(scene: object, noise: float = 4.0) -> object:
        return small_of(sensor.take(np.asarray(scene, np.float32), noise))

    still = small(ROOM)
    assert not moved(still, small(ROOM))  # type: ignore[arg-type]
    assert not moved(still, small(ROOM * 0.9))  # type: ignore[arg-type]
    assert not moved(still, small(ROOM + 6))  # type: ignore[arg-type]
    assert moved(still, small(person(ROOM, 0.1, 0.3)))  # type: ignore[arg-type]
    card = ROOM.copy()
    card[100:130, 150:195] = 240
    assert moved(still, small(card))  # type: ignore[arg-type]


def test_what_creeps_has_moved_and_a_still_room_has_not() -> None:
    eye, sensor = Eye(), Sensor()
    for n in range(50):
        eye.look(sensor.take(ROOM), n * 200)
    assert eye.moved_ms == 0
    for n in range(50, 100):
        eye.look(sensor.take(person(ROOM, 0.1 + n / 1000, 0.5)), n * 200)
    assert eye.moved_ms > 95 * 200


def look(at_ms: int, **more: float) -> Look:
    facts: dict[str, float] = {"mean": 120, "contrast": 40, "bright": 0, "texture": 6, "change": 0.5, **more}
    return Look(at_ms, **facts, frames=3, copies=0, moved=False)


def test_video_without_a_picture_is_told() -> None:
    watch = Watch(exact=True)
    watch.look(look(1000))
    assert {watch.video(at).code for at in range(1200, 4200, 200)} == {None}
    assert watch.video(4300).code == "camera_blank"
    assert [watch.look(look(5000 + n * 200)).code for n in range(10)][-1] is None
    assert watch.video(30_000).code is None  # the process was stopped: what comes first is no proof


def test_a_camera_turned_to_a_plainer_wall_is_covered_only_for_some_minutes() -> None:
    watch = Watch(exact=True)
    for n in range(100):
        watch.look(look(n * 200))
    codes = [watch.look(look(20_000 + n * 200, texture=1.0)).code for n in range(5 * 1200)]
    assert "camera_covered" in codes[:25]
    assert codes[-1] is None


def test_pictures_lost_before_anybody_saw_them_are_counted_by_the_sensors_times() -> None:
    cadence = Cadence()
    times = [n * 40_000 + n % 3 * 900 for n in range(100) if n not in (20, 50, 51, 52, 70)]
    for at in times:
        cadence.taken(at)
    assert cadence.lost == 5


def test_a_slower_pace_is_no_loss_and_a_clock_that_goes_back_begins_anew() -> None:
    cadence = Cadence()
    for n in range(30):
        cadence.taken(n * 40_000)
    for n in range(30):
        cadence.taken(1_200_000 + n * 80_000)
    for n in range(30):
        cadence.taken(500_000 + n * 80_000)
    assert cadence.lost == 0


def test_the_same_trouble_is_entered_once_and_a_dark_night_too() -> None:
    telling = Telling()
    assert telling.entry(None, 0) is None
    assert telling.entry("camera_dark", 1000) == {"state": "trouble", "reason": "camera_dark"}
    assert telling.entry("camera_black", 5000) is None
    assert telling.entry(None, 60_000) == {"state": "good", "reason": "camera_dark"}
    for n in range(10):
        assert telling.entry("camera_dark", 70_000 + n * 20_000) is None
        assert telling.entry(None, 80_000 + n * 20_000) is None
    assert telling.entry("camera_covered", 280_000) == {"state": "trouble", "reason": "camera_covered"}
    assert telling.entry(None, 281_000) == {"state": "good", "reason": "camera_covered"}
    assert telling.entry("camera_dark", 700_000) is not None


def test_a_camera_that_comes_back_blind_is_entered_as_blind() -> None:
    telling = Telling()
    assert telling.entry("camera_missing", 0) is not None
    assert telling.entry("camera_stalled", 1000) is None
    assert telling.entry("camera_covered", 2000) == {"state": "trouble", "reason": "camera_covered"}
    assert telling.entry("camera_missing", 3000) is None
    assert telling.entry(None, 9000) == {"state": "good", "reason": "camera_covered"}


def test_blindness_that_is_no_trouble_of_its_own_is_told_a_little_later() -> None:
    telling, entered, unseen = Telling(), list[tuple[int, object]](), list[tuple[object, ...]]()
    dark = [(1, 30), (60, 90), (100, 104), (110, 300), (590, 720)]  # seconds
    for at in range(800):
        since = next((begin for begin, end in dark if begin <= at < end), None)
        sight = Sight("camera_dark" if since is not None else None, 1000 * (since or at))
        if (entry := telling.entry(sight.code, 1000 * at)) is not None:
            entered.append((at, entry["state"]))
        if (body := telling.unseen(sight, 1000 * at)) is not None:
            assert body["state"] == "unseen"
            spans = [tuple(one.values()) for one in cast("list[dict[str, object]]", body["spans"])]
            assert all(0 < 1000 * at - until <= 20_000 for *_, until in spans[:-1])
            unseen += spans
    assert entered == [(1, "trouble"), (30, "good"), (601, "trouble"), (720, "good")]
    seconds = {s for _, begin, end in unseen for s in range(int(str(begin)) // 1000, int(str(end)) // 1000)}
    assert seconds == {*range(60, 90), *range(100, 104), *range(110, 300), *range(590, 601)}
    assert {reason for reason, *_ in unseen} == {"camera_dark"}


def test_a_new_process_ends_the_trouble_that_a_killed_one_entered() -> None:
    assert Telling("camera_covered").entry(None, 1000) == {"state": "good", "reason": "camera_covered"}
    assert Telling("camera_covered").entry("camera_covered", 1000) is None
