"""One folder is one gateway: gateway.toml, keys/, tls/, bundles/ and, on a desk, gateway.db."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Engine

from edge import clock
from edge.config import toml_value
from edge.errors import BadInput, ConfigError, Exists
from edge.gateway.database import open_engine
from edge.gateway.tls import make_tls
from edge.trust.protocol import GatewayKey, sign_gateway_key
from edge.trust.signer import Ed25519Signer
from edge.why import where, why

DAY_MS = 86_400_000
HOSTS = ("localhost", "127.0.0.1", "::1")
_FILE = "gateway.toml"


class GatewaySettings(BaseModel):
    """gateway.toml. `name` is the witness's name in checkpoints; `database` empty means gateway.db in the folder.

    `release_minutes`: how long before its planned start a room is given the second share of a session's bank.
    `clip_days`: so long footage that rooms sent is kept. It lies in the folder `clips`, or where `s3_url` is set in an
    S3 bucket, whose secret key stands in the file keys/s3.secret.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = "examroom-gateway"
    title: Annotated[str, Field(min_length=1, max_length=100)] = "考试网关"
    database: str = ""
    token_days: Annotated[int, Field(ge=1, le=365)] = 30
    release_minutes: Annotated[int, Field(ge=5, le=1440)] = 60
    certificate_days: Annotated[int, Field(ge=1, le=7320)] = 1830
    clip_days: Annotated[int, Field(ge=1, le=3650)] = 90
    s3_url: Annotated[str, Field(pattern=r"^(https?://[^/?#\s]+)?$")] = ""
    s3_bucket: Annotated[str, Field(pattern=r"^[a-z0-9.-]{0,63}$")] = ""
    s3_region: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")] = "us-east-1"
    s3_access_key: Annotated[str, Field(pattern=r"^[!-~]{0,128}$")] = ""


@dataclass(frozen=True)
class Province:
    """A gateway at work: its settings, its database, and the keys it signs with."""

    folder: Path
    settings: GatewaySettings
    engine: Engine
    root: Ed25519Signer
    key: Ed25519Signer
    statement: bytes

    @property
    def bundles(self) -> Path:
        return self.folder / "bundles"

    @property
    def ca(self) -> Path:
        return self.folder / "tls" / "ca.pem"

    def close(self) -> None:
        self.engine.dispose()


def init_gateway(folder: Path, name: str, title: str, hosts: Sequence[str], database: str = "") -> None:
    """Make a new province in `folder`. Exists when there is one already; nothing is changed then."""
    if (folder / _FILE).exists() or (folder / "keys").exists():
        raise Exists("gateway_exists", path=folder)
    try:
        settings = GatewaySettings(name=name, title=title, database=database)
    except ValidationError as error:
        found = where(error)
        raise BadInput("gateway_option", option=found["where"], detail=found["detail"]) from error
    folder.mkdir(parents=True, exist_ok=True)
    now = clock.wall_ms()
    root, key = Ed25519Signer.generate(), Ed25519Signer.generate()
    until = now + 20 * 366 * DAY_MS
    statement = GatewayKey(name=settings.name, key=key.public.hex(), not_before_ms=now, not_after_ms=until)
    root.save(folder / "keys" / "root.key")
    key.save(folder / "keys" / "gateway.key")
    (folder / "keys" / "gateway.json").write_bytes(sign_gateway_key(statement, root))
    (folder / "root.pub").write_text(root.public.hex() + "\n")
    try:
        make_tls(folder / "tls", settings.title, [*HOSTS, *hosts], datetime.fromtimestamp(now / 1000, UTC))
    except ValueError as error:
        raise BadInput("gateway_option", option="host", detail=why(error)) from error
    (folder / "bundles").mkdir(exist_ok=True, mode=0o700)
    lines = [f"{option} = {toml_value(value)}\n" for option, value in settings.model_dump().items()]
    (folder / _FILE).write_text("".join(lines), encoding="utf-8")


def open_province(folder: Path) -> Province:
    """The gateway in `folder`; close it when done. ConfigError when there is none or its file is wrong."""
    file = folder / _FILE
    try:
        settings = GatewaySettings.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ConfigError("gateway_missing", path=folder) from error
    except ValidationError as error:
        found = where(error)
        raise ConfigError("config_option", path=file, option=found["where"], detail=found["detail"]) from error
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError("config_unreadable", path=file, detail=why(error)) from error
    root = Ed25519Signer.load(folder / "keys" / "root.key")
    key = Ed25519Signer.load(folder / "keys" / "gateway.key")
    statement = (folder / "keys" / "gateway.json").read_bytes()
    engine = open_engine(settings.database or f"sqlite:///{(folder / 'gateway.db').resolve()}")
    return Province(folder, settings, engine, root, key, statement)
