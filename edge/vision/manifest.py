"""The manifests of the packs: where each pack's files come from, their hashes, its thresholds and what they rest on."""

from __future__ import annotations

import hashlib
import sysconfig
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.domain.faces import FitLimits, Threshold
from edge.domain.liveness import ChallengeLimits
from edge.domain.reasons import words
from edge.domain.search import SearchThreshold, Strangers
from edge.errors import ConfigError, NotFound, Wrong
from edge.why import where, why

FILE = "manifest.toml"

Role = Literal["embedder", "landmarks", "detector", "liveness27", "liveness40"]
# kind -> the files it is made of
KINDS: dict[str, frozenset[str]] = {
    "dlib": frozenset({"embedder", "landmarks"}),
    "yunet": frozenset({"embedder", "detector"}),
    "sface": frozenset({"embedder", "detector"}),
    "liveness": frozenset({"liveness27", "liveness40"}),
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Source(_Part):
    """One file: of an installed Python distribution (`package`, by its import name), or fetched (no `package`).

    `file` is relative to the package; a fetched one's is its plain name. `url`: where it is published; None where no
    lasting address is known. `sha256` and `size` are None while nobody has established them: then it is not installed.
    """

    role: Role
    package: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    url: Annotated[str, Field(pattern=r"^https://[^\s]+$", max_length=500)] | None = None
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$")]
    size: Annotated[int, Field(ge=1, le=1 << 30)] | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Source:
        if self.package is not None and (self.url is not None or self.sha256 is None or self.size is None):
            raise ValueError("a file of a package has size and sha256 and no url")
        if self.package is None and "/" in self.file:
            raise ValueError("a fetched file has a plain name")
        if (self.size is None) != (self.sha256 is None):
            raise ValueError("size and sha256 stand together")
        return self


class Limits(_Part):
    accept: Annotated[float, Field(gt=0, le=2)]
    refuse: Annotated[float, Field(gt=0, le=2)]

    @model_validator(mode="after")
    def _ordered(self) -> Limits:
        if self.accept > self.refuse:
            raise Wrong("pack_limits")
        return self


class Calibration(_Part):
    """What the threshold rests on: the false match rate found at `accept`, on whom, in how many comparisons.

    fmr_at_most: what `accept` is set to keep: of few people the rate that the finding is compatible with (95 %,
    one-sided, counted by pairs of people, since comparisons of the same two are not independent).
    """

    fmr: Annotated[float, Field(ge=0, le=1)]
    fmr_at_most: Annotated[float, Field(ge=0, le=1)]
    measured_on: Annotated[str, Field(min_length=1)]
    people: Annotated[int, Field(ge=2)]
    comparisons: Annotated[int, Field(ge=1)]


class Quality(_Part):
    """What a face must be like to be compared: see `domain.faces.FitLimits`."""

    width: Annotated[float, Field(gt=0, le=1000)]
    sharpness: Annotated[float, Field(gt=0, le=10)]
    light: tuple[Annotated[float, Field(ge=0, le=255)], Annotated[float, Field(ge=0, le=255)]]
    contrast: Annotated[float, Field(ge=0, le=128)]
    burnt: Annotated[float, Field(gt=0, le=1)]
    yaw: Annotated[float, Field(gt=0, le=90)]
    tilt: Annotated[float, Field(gt=0, le=90)]
    nod: Annotated[float, Field(gt=0, le=90)]
    eyes_dark: Annotated[float, Field(ge=0, le=1)]
    eyes_flat: Annotated[float, Field(ge=0, le=1)]

    @model_validator(mode="after")
    def _ordered(self) -> Quality:
        if self.light[0] >= self.light[1]:
            raise Wrong("pack_light")
        return self


class Movements(_Part):
    """What counts as a movement of the challenge: see `domain.liveness.ChallengeLimits`; `measured_on`: its grounds."""

    rest: Annotated[float, Field(gt=0, lt=90)]
    turn: Annotated[float, Field(gt=0, lt=90)]
    nearer: Annotated[float, Field(gt=1, le=10)]
    measured_on: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _ordered(self) -> Movements:
        if self.rest >= self.turn:
            raise Wrong("pack_turn")
        return self


class SearchLimits(_Part):
    """For looking among many: found with nobody else nearer than `apart` more, among at most `gallery` people.

    How near follows the size of the gallery, so that a stranger is found to be somebody with a chance of at most `fpir`
    in each search, and is never beyond `accept`. That rests on how far apart strangers are: `mean` apart, and spread as
    differences of so many `dimensions` are (`domain.search.Strangers`); `derived`: how both were come by.
    """

    accept: Annotated[float, Field(gt=0, le=2)]
    apart: Annotated[float, Field(ge=0, le=2)]
    gallery: Annotated[int, Field(ge=1, le=100_000)]
    fpir: Annotated[float, Field(gt=0, lt=1)]
    mean: Annotated[float, Field(gt=0, le=4)]
    dimensions: Annotated[int, Field(ge=2, le=128)]
    derived: Annotated[str, Field(min_length=1)]


class LiveLimits(_Part):
    """Of the mean live score (0 to 1) over the frames of a look: from `live` on it is a person, up to `spoof` not."""

    live: Annotated[float, Field(gt=0, lt=1)]
    spoof: Annotated[float, Field(gt=0, lt=1)]
    measured_on: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _ordered(self) -> LiveLimits:
        if self.spoof > self.live:
            raise Wrong("pack_live_order")
        return self


class Manifest(_Part):
    """untested: nobody has run this pack with its weights; it is measured (`evaluate`), never taken at the door."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
    kind: Literal["dlib", "yunet", "sface", "liveness"]
    licence: Annotated[str, Field(min_length=1)]
    revision: Annotated[int, Field(ge=1)]
    untested: bool = False
    threshold: Limits | None = None
    calibration: Calibration | None = None
    quality: Quality | None = None
    challenge: Movements | None = None
    search: SearchLimits | None = None
    liveness: LiveLimits | None = None
    source: Annotated[list[Source], Field(min_length=1, max_length=4)]

    @model_validator(mode="after")
    def _is_whole(self) -> Manifest:
        roles = [source.role for source in self.source]
        if len(roles) != len(set(roles)) or set(roles) != KINDS[self.kind]:
            raise Wrong("pack_sources", roles=", ".join(sorted(KINDS[self.kind])))
        if (self.liveness is not None) != (self.kind == "liveness"):
            raise Wrong("pack_liveness")
        if (self.threshold is not None) != (self.kind != "liveness"):
            raise Wrong("pack_threshold")
        if (self.quality is not None) != (self.kind != "liveness"):
            raise Wrong("pack_quality")
        if (self.challenge is not None) != (self.kind != "liveness"):
            raise Wrong("pack_challenge")
        if (self.calibration is None) != (self.untested or self.kind == "liveness"):
            raise Wrong("pack_calibration")
        if self.search is not None and (self.threshold is None or self.search.accept > self.threshold.accept):
            raise Wrong("pack_search")
        return self

    def role(self, role: str) -> Source:
        return next(source for source in self.source if source.role == role)

    @property
    def compares(self) -> bool:
        """Whether it is a pack that compares faces, not one that judges whether a face is alive."""
        return self.threshold is not None

    @property
    def version(self) -> str:
        """12 hex digits that change with any source file and with the revision: what makes templates comparable."""
        hashes = [self.role(role).sha256 or "unknown" for role in sorted(KINDS[self.kind])]
        text = "\n".join([self.name, str(self.revision), *hashes])
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def limits(self) -> Threshold:
        """The pack's distances; ConfigError (`pack_not_faces`) for a pack that compares none."""
        if self.threshold is None:
            raise ConfigError("pack_not_faces", pack=self.name)
        return Threshold(self.threshold.accept, self.threshold.refuse)

    @property
    def fit(self) -> FitLimits:
        """Between what a face is fit to be compared; ConfigError (`pack_not_faces`) for a pack that compares none."""
        if self.quality is None:
            raise ConfigError("pack_not_faces", pack=self.name)
        return FitLimits(**self.quality.model_dump())

    @property
    def challenge_limits(self) -> ChallengeLimits:
        """From where on a head has moved; ConfigError (`pack_not_faces`) for a pack that finds no faces."""
        if self.challenge is None:
            raise ConfigError("pack_not_faces", pack=self.name)
        return ChallengeLimits(self.challenge.rest, self.challenge.turn, self.challenge.nearer)

    @property
    def search_limits(self) -> SearchThreshold | None:
        """What a search among many goes by; None for a pack that nobody has set it for: then nobody is searched."""
        found = self.search
        if found is None:
            return None
        strangers = Strangers(found.mean, found.dimensions)
        return SearchThreshold(found.accept, found.apart, found.gallery, found.fpir, strangers)


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
        raise NotFound("pack_unknown", pack=pack, known=" | ".join(known))
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
