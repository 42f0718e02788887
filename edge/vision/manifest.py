"""The manifests of the face packs: where each pack's files come from, their hashes, its thresholds."""

from __future__ import annotations

import hashlib
import sysconfig
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.domain.faces import Threshold
from edge.domain.reasons import words
from edge.errors import ConfigError, NotFound, Wrong
from edge.why import where, why

FILE = "manifest.toml"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Part):
    """One file of an installed Python distribution, by its import package; `file` is relative to that package."""

    role: Literal["embedder", "landmarks"]
    package: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$")]
    size: Annotated[int, Field(ge=1, le=1 << 30)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Limits(_Part):
    accept: Annotated[float, Field(gt=0, le=2)]
    refuse: Annotated[float, Field(gt=0, le=2)]

    @model_validator(mode="after")
    def _ordered(self) -> Limits:
        if self.accept > self.refuse:
            raise Wrong("pack_limits")
        return self


class Manifest(_Part):
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
    kind: Literal["dlib"]
    licence: Annotated[str, Field(min_length=1)]
    revision: Annotated[int, Field(ge=1)]
    threshold: Limits
    source: Annotated[list[Source], Field(min_length=2, max_length=2)]

    @model_validator(mode="after")
    def _one_of_each(self) -> Manifest:
        if {source.role for source in self.source} != {"embedder", "landmarks"}:
            raise Wrong("pack_sources")
        return self

    def role(self, role: str) -> Source:
        return next(source for source in self.source if source.role == role)

    @property
    def version(self) -> str:
        """12 hex digits that change with any source file and with the revision: what makes templates comparable."""
        text = "\n".join([self.name, str(self.revision), self.role("embedder").sha256, self.role("landmarks").sha256])
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def limits(self) -> Threshold:
        return Threshold(self.threshold.accept, self.threshold.refuse)


def manifest_root() -> Path:
    """The folder with one folder a pack: `models/` of a checkout, or where an installer has put the wheel's data."""
    tree = Path(__file__).parents[2]
    return tree / "models" if (tree / "pyproject.toml").is_file() else _installed_root(tree)


def _installed_root(site: Path) -> Path:
    """Where the data of the wheel whose packages stand in `site` went.

    That depends on how it was installed: beside the packages (`pip install --target`), at the foot of their
    `lib/pythonX.Y/site-packages` (a virtual environment, `--user`, `--prefix`), or where this Python says. What is
    nearest to this package is its own, also where another version is installed in the environment that runs it.
    """
    foots = [site, *site.parents[:3], Path(sysconfig.get_path("data"))]
    places = [foot / "share" / "examroom" / "models" for foot in foots]
    return next((place for place in places if place.is_dir()), places[-1])


def known_packs(root: Path | None = None) -> list[str]:
    return sorted(path.parent.name for path in (root or manifest_root()).glob(f"*/{FILE}"))


def read_manifest(pack: str, root: Path | None = None) -> Manifest:
    """The manifest of a pack. NotFound (`pack_unknown`) without one, ConfigError (`pack_manifest`) for a wrong one."""
    known = known_packs(root)
    if pack not in known:
        raise NotFound("pack_unknown", pack=pack, known=", ".join(known))
    path = (root or manifest_root()) / pack / FILE
    try:
        manifest = Manifest.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        found = where(error)
        raise ConfigError("pack_manifest", path=path, option=found["where"], detail=found["detail"]) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError("pack_manifest", path=path, option="-", detail=why(error)) from error
    if manifest.name != pack:
        raise ConfigError("pack_manifest", path=path, option="name", detail=words("pack_folder", pack=pack))
    return manifest
