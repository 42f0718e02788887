"""The configuration file: whatever stands in it is taken, or named with its option."""

from __future__ import annotations

import contextlib
import tomllib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.config import Badge, Config, load_config, parse_config, to_toml
from edge.errors import ConfigError
from edge.services.web import core_for

OPTION = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just("https://["),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=3,
)
SECTIONS = {name: field.annotation for name, field in Config.model_fields.items() if name != "camera"} | {
    "badge": Badge
}
OPTIONS = [(name, option) for name, kind in SECTIONS.items() if kind for option in kind.model_fields]


@given(st.sampled_from(OPTIONS), OPTION)
@example(("paths", "state"), '/𠮷/\x7f\x01"考场')
def test_any_value_of_any_option_is_taken_or_named(place: tuple[str, str], value: object) -> None:
    section, option = place
    try:
        config = parse_config({section: {option: value}})
    except ConfigError as error:
        assert section in str(error.facts["option"])
    else:
        assert parse_config(tomllib.loads(to_toml(config))) == config


@given(st.binary(max_size=40))
def test_any_file_is_a_configuration_or_is_none(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(content)
    with contextlib.suppress(ConfigError):
        load_config(file)


def test_a_core_the_machine_does_not_have_is_any_core() -> None:
    assert core_for(10_000) is None
    assert core_for("none") is None


def test_a_box_may_have_no_camera_at_its_door() -> None:
    config = parse_config({"camera": {"station": {}}})
    assert config.checkin.camera == "door" and parse_config(tomllib.loads(to_toml(config))) == config
    assert parse_config({"checkin": {"camera": "side"}}).checkin.camera == "side"


@pytest.mark.parametrize("zone", [[0.5, 0, 0.4, 1], [0, 1, 1, 1], [0, 0, 1], [0, 0, 1.2, 1], [0, 0, 1, "x"], 1])
def test_a_zone_without_room_is_refused(zone: object) -> None:
    with pytest.raises(ConfigError, match="zone"):
        parse_config({"checkin": {"zone": zone}})


EVDEV = {"backend": "evdev", "device": "/dev/input/by-id/one"}


def test_one_reader_needs_no_name_and_several_have_one() -> None:
    one = parse_config({"badge": EVDEV})
    assert {name: reader.device for name, reader in one.badge.items()} == {"door": EVDEV["device"]}
    two = parse_config({"badge": {"card": EVDEV, "id": {"backend": "sdt", "device": "/dev/ttyUSB0"}}})
    assert [reader.backend for reader in two.badge.values()] == ["evdev", "sdt"]
    for config in (one, two):
        assert parse_config(tomllib.loads(to_toml(config))) == config
    assert parse_config({"badge": {"backend": "none"}}).badge == {}


@pytest.mark.parametrize(
    ("badge", "option", "said"),
    [
        ({"card": EVDEV, "backend": "none"}, "badge", "[badge.NAME]"),
        ({"card": EVDEV, "other": EVDEV}, "badge", "card and other are the same reader"),
        ({"card": {"backend": "sdt"}}, "badge.card", "it needs a device"),
        ({"card": {"backend": "telepathy"}}, "badge.card.backend", "sdt"),
        ({"Card": EVDEV}, "badge.Card.[key]", "small letter"),
    ],
)
def test_readers_that_cannot_be_are_named(badge: dict[str, object], option: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_config({"badge": badge})
    assert error.value.facts["option"] == option
    assert said in str(error.value.facts["detail"])


@pytest.mark.parametrize(
    ("backend", "first", "second"),
    [
        ("picamera2", "0", "0"),
        ("v4l2", "0", "/dev/video0"),
        ("v4l2", "/dev/v4l/by-id/one", "/dev//v4l/by-id/one"),
        ("rtsp", "rtsp://camera.lan/live", "rtsp://Camera.lan:554/live"),
    ],
)
def test_two_cameras_are_not_one(backend: str, first: str, second: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_config({"camera": {n: {"backend": backend, "source": s} for n, s in (("door", first), ("hall", second))}})
    assert error.value.facts["option"] == "camera"
    assert "door and hall are the same camera" in str(error.value.facts["detail"])


def test_other_cameras_and_files_that_many_play_are_several() -> None:
    others = {
        "door": {"source": "0"},
        "hall": {"source": "1"},
        "left": {"backend": "v4l2", "source": "0"},
        "right": {"backend": "v4l2", "source": "/dev/v4l/by-id/one"},
        "one": {"backend": "rtsp", "source": "rtsp://h/live?channel=1"},
        "two": {"backend": "rtsp", "source": "rtsp://h/live?channel=2"},
        "three": {"backend": "rtsp", "source": "rtsp://h:8554/live?channel=2"},
        "four": {"backend": "file", "source": "clip.mp4"},
        "five": {"backend": "file", "source": "clip.mp4"},
    }
    config = parse_config({"camera": others})
    assert len(config.camera) == len(others)
    assert parse_config(tomllib.loads(to_toml(config))) == config


def test_tickets_are_shown_to_a_camera_there_is() -> None:
    with pytest.raises(ConfigError, match="side"):
        parse_config({"camera": {"door": {}}, "badge": {"backend": "qr", "device": "side"}})
