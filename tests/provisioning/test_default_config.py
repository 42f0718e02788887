"""The configuration that bootstrap.sh installs: it is accepted, and shows every option with its true default."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from edge.config import Badge, Camera, Config, parse_config

FILE = Path(__file__).parents[2] / "provisioning" / "examroom.toml"
# What the appliance has otherwise than the program's own default, and why it says so in the file.
CHOSEN = {("web", "secure_cookies"): True, ("web", "behind_proxy"): True}


def options() -> Iterator[tuple[str, str, Any]]:
    """(section, option, default) of the whole product; "camera" and "badge" stand for each one."""
    named: dict[str, type[BaseModel]] = {"camera": Camera, "badge": Badge}
    for section, field in Config.model_fields.items():
        model: type[BaseModel] = named.get(section) or field.annotation  # type: ignore[assignment]
        for name, option in model.model_fields.items():
            yield section, name, option.default


def shown() -> dict[tuple[str, str], str]:
    """What the file shows, behind a "#" or not: (section, option) -> the TOML value as written."""
    found: dict[tuple[str, str], str] = {}
    section = ""
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"\[([a-z]+)(?:\.[a-z]+)?]", line):
            section = match[1]
        elif match := re.fullmatch(r"(?:# )?([a-z0-9_]+) = (.+)", line):
            assert (section, match[1]) not in found, line
            found[section, match[1]] = match[2]
    return found


def test_it_is_accepted_as_it_is() -> None:
    config = parse_config(tomllib.loads(FILE.read_text(encoding="utf-8")))
    assert list(config.camera) == [config.checkin.camera]
    assert config.web.host == "127.0.0.1"


def test_it_shows_every_option_and_no_other() -> None:
    assert set(shown()) == {(section, name) for section, name, _ in options()}


def test_what_it_shows_is_the_default() -> None:
    for section, name, default in options():
        value = tomllib.loads(f"x = {shown()[section, name]}")["x"]
        if (section, name) in CHOSEN:
            assert value == CHOSEN[section, name]
        elif default is None:
            # there is no TOML for "none": an example or an empty text, which must stay behind its "#"
            assert f"\n{name} = " not in FILE.read_text(encoding="utf-8")
        else:
            wanted = default if isinstance(default, str | int | float | list) else str(default)
            assert json.dumps(value) == json.dumps(wanted), f"{section}.{name}"


def test_it_is_accepted_with_every_option_that_has_a_default_uncommented() -> None:
    nothing = {name for _, name, default in options() if default is None}
    lines = []
    for line in FILE.read_text(encoding="utf-8").splitlines():
        match = re.fullmatch(r"# (([a-z_]+) = .+)", line)
        lines.append(match[1] if match and match[2] not in nothing else line)
    config = parse_config(tomllib.loads("\n".join(lines)))
    assert config.model_copy(update={"camera": {}, "web": Config().web}) == Config()
