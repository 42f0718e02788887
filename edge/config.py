"""Every option of the product, once, with its default and its check. One TOML file, /etc/examroom/examroom.toml.

`load_config` is the only reader. An unknown key is an error, so a misspelt option never silently keeps its default.
"""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from edge.errors import ConfigError, Wrong
from edge.why import where, why

DEFAULT_PATH = Path("/etc/examroom/examroom.toml")
ENVIRONMENT = "EXAMROOM_CONFIG"

Port = Annotated[int, Field(ge=1, le=65535)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]


Pin = Annotated[int, Field(ge=0, le=27)]
ONLY_READER = "door"
"""What the reader is called that has no name of its own."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def is_what_it_looks_like(cls, value: Any, info: ValidationInfo) -> Any:
        """`true` is no number, although Python counts with it; no file and no host has a NUL in its name."""
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation not in (bool, bool | None):
            raise Wrong("config_truth")
        if isinstance(value, str) and "\0" in value:
            raise Wrong("input_character")
        return value


class Paths(Section):
    """Where the room keeps what must survive (state, recordings, models) and what need not (runtime)."""

    state: Path = Path("/var/lib/examroom")
    runtime: Path = Path("/run/examroom")
    recordings: Path = Path("/var/lib/examroom-recordings")
    models: Path = Path("/var/lib/examroom/models")
    tls: Path = Path("/etc/examroom/tls")

    @property
    def room_db(self) -> Path:
        return self.state / "room.db"

    @property
    def answers_db(self) -> Path:
        return self.state / "answers.db"

    @property
    def keys(self) -> Path:
        return self.state / "keys"

    @property
    def trust(self) -> Path:
        return self.state / "trust"

    @property
    def bundles(self) -> Path:
        return self.state / "bundles"

    @property
    def results(self) -> Path:
        return self.state / "results"

    @property
    def scratch(self) -> Path:
        """What a rehearsal makes and removes again, on the disk of the room."""
        return self.state / "scratch"

    @property
    def status(self) -> Path:
        return self.runtime / "status"

    def ring(self, camera: str) -> Path:
        return self.runtime / f"frames-{camera}.ring"


class Web(Section):
    """The pages. On the appliance nginx stands in front and `host` stays on loopback.

    `footage_mbit`: megabits a second that all footage sent to browsers takes at most, `footage_mbit_exam`: while a
    session is open; `footage_streams`: how many answers with footage are sent at once.
    """

    host: str = "127.0.0.1"
    port: Port = 8080
    threads: Annotated[int, Field(ge=4, le=1024)] = 256
    cpu: Annotated[int, Field(ge=0)] | Literal["auto", "none"] = "auto"
    secure_cookies: bool = False
    behind_proxy: bool = False
    streams: Annotated[int, Field(ge=1, le=64)] = 8
    footage_mbit: Annotated[int, Field(ge=1, le=10_000)] = 100
    footage_mbit_exam: Annotated[int, Field(ge=1, le=10_000)] = 20
    footage_streams: Annotated[int, Field(ge=1, le=64)] = 8
    staff_idle_minutes: Annotated[int, Field(ge=1, le=480)] = 30
    names: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")]] = []


class Camera(Section):
    """One camera, one process. `source` is a file, a device node, a libcamera index or an rtsp:// address, by backend.

    `user` and `password` are for RTSP; they are options of their own so that `source` can be shown to anybody. `look`:
    where pictures for faces come from instead of `source`, an rtsp:// address or a device node. `microphone`: the ALSA
    device that sound comes from, where the policy of a session wants any; a network camera's own sound without it.
    """

    backend: Literal["file", "v4l2", "picamera2", "rtsp"] = "picamera2"
    source: str = "0"
    user: str = ""
    password: str = Field(default="", repr=False)
    width: Annotated[int, Field(ge=160, le=4096)] = 1280
    height: Annotated[int, Field(ge=120, le=2160)] = 720
    fps: Annotated[int, Field(ge=1, le=60)] = 15
    bitrate: Annotated[int, Field(ge=100_000, le=20_000_000)] = 2_000_000
    face_fps: Annotated[float, Field(gt=0, le=30)] = 5.0
    look: str = ""
    microphone: Annotated[str, Field(max_length=200, pattern=r"^[ -~]*$")] = ""

    @property
    def has_sound(self) -> bool:
        """Whether there is anything to hear with."""
        return bool(self.microphone) or self.backend == "rtsp"

    @property
    def device(self) -> str | None:
        """What one camera has of its own, however it is written; None for a file, which many can play."""
        if self.backend == "file":
            return None
        if self.backend == "rtsp":
            parts = urlsplit(self.source)
            host = f"{(parts.hostname or '').rstrip('.')}:{parts.port or 554}"
            return parts._replace(netloc=host, fragment="").geturl()
        node = self.source
        if node.isdigit():
            node = ("/dev/video" if self.backend == "v4l2" else "") + (node.lstrip("0") or "0")
        return f"{self.backend} {os.path.normpath(node)}"

    @model_validator(mode="after")
    def is_an_address(self) -> Self:
        network = [self.source] if self.backend == "rtsp" else []
        if self.look and not self.look.isdigit() and not self.look.startswith("/"):
            network.append(self.look)
        for address in network:
            try:
                parts = urlsplit(address)
                good = parts.scheme == "rtsp" and bool(parts.hostname) and parts.port != 0 and address.isprintable()
            except ValueError:
                good = False
            if not good or " " in address:
                raise Wrong("config_rtsp_source" if address == self.source else "config_look")
            if "@" in parts.netloc:
                raise Wrong("config_rtsp_login")
        if not network and (self.user or self.password):
            raise Wrong("config_rtsp_only")
        if ":" in self.user:
            raise Wrong("config_rtsp_colon")
        if self.password and not self.user:
            raise Wrong("config_rtsp_user")
        return self


class Badge(Section):
    """One badge reader. `device` is by backend: a keyboard wedge's node (`evdev`) or a pipe of the same records
    (`events`), a part of a PC/SC reader's name (`pcsc`; empty: every one), the serial port of a resident ID card reader
    (`sdt`), the camera that tickets are shown to (`qr`; empty: the door's).
    """

    backend: Literal["evdev", "events", "pcsc", "sdt", "qr", "none"] = "none"
    device: str = ""
    min_length: Annotated[int, Field(ge=1, le=64)] = 4
    max_length: Annotated[int, Field(ge=1, le=64)] = 32
    checksum: Literal["none", "luhn", "xor", "ean", "mod11-2", "mod37-36"] = "none"
    gap_ms: Annotated[int, Field(ge=10, le=5000)] = 300
    debounce_ms: Annotated[int, Field(ge=0, le=10_000)] = 1500
    content: Literal["auto", "uid", "data"] = "auto"
    prefix: Annotated[str, Field(max_length=200)] = ""
    baud: Literal[9600, 19200, 38400, 57600, 115200] = 115200

    @model_validator(mode="after")
    def can_be_read(self) -> Self:
        if self.backend in ("evdev", "events", "sdt") and not self.device:
            raise Wrong("config_device", backend=self.backend)
        if self.min_length > self.max_length:
            raise Wrong("config_lengths")
        return self


class Panel(Section):
    """Button, lamp and buzzer by the door; pins are BCM numbers. `active_high`: a high pin lights a lamp, and sounds
    the buzzer unless `buzzer_active_high` says otherwise; `button_pull_up`: the button connects its pin to ground, else
    to 3.3 V.
    """

    backend: Literal["gpio", "none"] = "none"
    pin_factory: Literal["lgpio", "mock"] = "lgpio"
    control: Path | None = None
    button: Pin = 17
    red: Pin = 22
    yellow: Pin = 23
    green: Pin = 24
    buzzer: Pin = 25
    active_high: bool = True
    buzzer_active_high: bool | None = None
    button_pull_up: bool = True
    debounce_ms: Annotated[int, Field(ge=0, le=1000)] = 50

    @model_validator(mode="after")
    def each_on_a_pin_of_its_own(self) -> Self:
        names: dict[int, str] = {}
        for name in ("button", "red", "yellow", "green", "buzzer"):
            if (other := names.setdefault(getattr(self, name), name)) != name:
                raise Wrong("config_pin", first=other, second=name)
        return self


Part = Annotated[float, Field(ge=0, le=1)]


class Checkin(Section):
    """The flow at the door. `zone`: where candidates stand in the picture: left, top, right, bottom, as parts of it.

    accept_at_most: a distance of templates below the pack's own limit, for a room whose candidates are more alike than
    those the limit was set by; one above it changes nothing.
    """

    camera: Name = "door"
    pack: Name = "dlib"
    accept_at_most: Annotated[float, Field(gt=0, le=2)] | None = None
    zone: Annotated[list[Part], Field(min_length=4, max_length=4)] = [0.15, 0.0, 0.85, 1.0]
    frames: Annotated[int, Field(ge=1, le=20)] = 3
    look_seconds: Annotated[float, Field(gt=0, le=60)] = 8.0
    show_seconds: Annotated[float, Field(gt=0, le=60)] = 4.0

    @model_validator(mode="after")
    def its_zone_has_room(self) -> Self:
        left, top, right, bottom = self.zone
        if left >= right or top >= bottom:
            raise Wrong("config_zone")
        return self


class Recording(Section):
    """Segments of fragments: a fragment is what a power cut may take, and none is so long that five seconds without a
    new one would be no reason for alarm.

    `keep_days`: of footage of no session; a session's own goes by its signed policy. `limit_gb`: above it the oldest
    footage of no session goes earlier, 0: only when the disk is short.
    """

    segment_seconds: Annotated[int, Field(ge=5, le=600)] = 60
    fragment_seconds: Annotated[int, Field(ge=1, le=2)] = 1
    reserve_mb: Annotated[int, Field(ge=0)] = 500
    keep_days: Annotated[int, Field(ge=1, le=3650)] = 90
    limit_gb: Annotated[int, Field(ge=0, le=1_000_000)] = 0


def _is_address(value: str, *schemes: str) -> bool:
    try:
        parts = urlsplit(value)
        good = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0 and value.isprintable()
    except ValueError:
        return False
    return good and " " not in value and len(value) <= 500


class Gateway(Section):
    """The province's receiving side; empty for a site without one. `upload_mbit`: the most that footage the province
    asks for may take of the line.
    """

    url: str = ""
    ca: Path | None = None
    poll_seconds: Annotated[float, Field(gt=0, le=3600)] = 15.0
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] = 10.0
    upload_mbit: Annotated[float, Field(gt=0, le=10_000)] = 4.0

    @field_validator("url")
    @classmethod
    def is_an_address(cls, value: str) -> str:
        if value and not _is_address(value, "https"):
            raise Wrong("config_address")
        return value


class Timestamp(Section):
    """An outside authority that time-stamps checkpoints (RFC 3161); none where `url` is empty.

    `ca`: its root certificates (PEM). `minutes`: between two time stamps, 0 for each new checkpoint.
    """

    url: str = ""
    ca: Path | None = None
    minutes: Annotated[float, Field(ge=0, le=1440)] = 60.0

    @field_validator("url")
    @classmethod
    def is_an_address(cls, value: str) -> str:
        """Plain HTTP will do, as it mostly is: what comes back is signed."""
        if value and not _is_address(value, "https", "http"):
            raise Wrong("config_timestamp_address")
        return value

    @model_validator(mode="after")
    def its_root_is_named(self) -> Self:
        if self.url and self.ca is None:
            raise Wrong("config_timestamp_ca")
        return self


class Bank(Section):
    """`unlock_minutes`: how long before its planned start a session's bank of two shares may be unlocked."""

    unlock_minutes: Annotated[int, Field(ge=5, le=1440)] = 60


class Store(Section):
    """`mirror`: a folder on a second medium that holds every acknowledged answer too; `mirror_secret`: a file.

    `mirror_same_disk`: the folder may be on the room's own disk, as on a desk; else that is taken for a missing medium.
    `reserve_mb`: disk space that only the databases may use.
    """

    mirror: Path | None = None
    mirror_secret: Path | None = None
    mirror_same_disk: bool = False
    reserve_mb: Annotated[int, Field(ge=0, le=100_000)] = 200


class Ledger(Section):
    checkpoint_seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0


class Rehearsal(Section):
    """The slowest a rehearsal may be and still be passed: milliseconds at the 99th percentile."""

    load_p99_ms: Annotated[int, Field(ge=1)] = 5000
    save_p99_ms: Annotated[int, Field(ge=1)] = 1000
    handin_p99_ms: Annotated[int, Field(ge=1)] = 5000


class Config(Section):
    """The whole file."""

    paths: Paths = Paths()
    web: Web = Web()
    camera: dict[Name, Camera] = Field(default_factory=dict)
    badge: dict[Name, Badge] = Field(default_factory=dict)
    panel: Panel = Panel()
    checkin: Checkin = Checkin()
    recording: Recording = Recording()
    gateway: Gateway = Gateway()
    timestamp: Timestamp = Timestamp()
    bank: Bank = Bank()
    store: Store = Store()
    ledger: Ledger = Ledger()
    rehearsal: Rehearsal = Rehearsal()

    @field_validator("badge", mode="before")
    @classmethod
    def one_reader_needs_no_name(cls, value: Any) -> Any:
        """`[badge]` with its options is one reader, `[badge.NAME]` one of several; one that is "none" is no reader."""
        if isinstance(value, dict) and not all(isinstance(one, dict | Badge) for one in value.values()):
            if any(isinstance(one, dict) for one in value.values()):
                raise Wrong("config_badge_ways")
            value = {ONLY_READER: value}
        return value

    @field_validator("badge")
    @classmethod
    def each_reader_is_another(cls, value: dict[str, Badge]) -> dict[str, Badge]:
        found = {name: one for name, one in value.items() if one.backend != "none"}
        places: dict[tuple[str, str], str] = {}
        for name, one in found.items():
            if (other := places.setdefault((one.backend, one.device), name)) != name:
                raise Wrong("config_badge_same", first=other, second=name)
        return found

    @field_validator("camera")
    @classmethod
    def each_camera_is_another(cls, value: dict[str, Camera]) -> dict[str, Camera]:
        """One picture recorded twice would count as the footage of two places."""
        places: dict[str, str] = {}
        for name, one in value.items():
            if one.device is not None and (other := places.setdefault(one.device, name)) != name:
                raise Wrong("config_camera_same", first=other, second=name)
        return value

    @model_validator(mode="after")
    def the_tickets_have_their_camera(self) -> Self:
        for name, one in self.badge.items():
            if one.backend == "qr" and self.camera and one.device and one.device not in self.camera:
                raise Wrong("config_badge_camera", reader=name, camera=one.device)
        return self

    @model_validator(mode="after")
    def the_door_has_its_camera(self) -> Self:
        """A box may have no camera at all, or none at the door; a name that is given has to be one of them."""
        given = "camera" in self.checkin.model_fields_set
        if given and self.camera and self.checkin.camera not in self.camera:
            known = ", ".join(self.camera)
            raise Wrong("config_camera", camera=self.checkin.camera, known=known)
        return self


def config_path(given: Path | None = None) -> Path:
    """The file in force: the one given, else $EXAMROOM_CONFIG, else the system's."""
    if given is not None:
        return given
    named = os.environ.get(ENVIRONMENT)
    return Path(named) if named else DEFAULT_PATH


def load_config(given: Path | None = None) -> Config:
    """Read and check the configuration. ConfigError names the file and the option; a missing file is an error too."""
    path = config_path(given)
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError("config_missing", path=path) from error
    except (OSError, ValueError, RecursionError) as error:  # whatever tomllib makes of what is no TOML
        raise ConfigError("config_unreadable", path=path, detail=why(error)) from error
    return parse_config(raw, path)


def parse_config(raw: dict[str, object], path: Path = DEFAULT_PATH) -> Config:
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        found = where(error)
        raise ConfigError("config_option", path=path, option=found["where"], detail=found["detail"]) from error


def toml_value(value: object) -> str:
    """JSON's strings, numbers, truth values and lists are TOML's too, but for surrogate pairs and a bare DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def to_toml(config: Config) -> str:
    """The configuration as text that `load_config` reads back; what stands at its default is left out."""
    lines: list[str] = []
    for name, section in json.loads(config.model_dump_json(exclude_none=True, exclude_defaults=True)).items():
        tables = (
            {f"{name}.{key}": value for key, value in section.items()}
            if name in ("camera", "badge")
            else {name: section}
        )
        for title, options in tables.items():
            lines += [f"[{title}]", *(f"{key} = {toml_value(value)}" for key, value in options.items())]
    return "\n".join(lines) + "\n"
