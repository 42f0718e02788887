"""Installing and loading face packs. An installed pack is a folder NAME-VERSION under the models directory."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.domain.liveness import LiveThreshold
from edge.domain.reasons import sentence
from edge.errors import ConfigError, Unavailable, VerificationFailed
from edge.vision.dlib_weights import INPUT, OUTPUT, read_network
from edge.vision.download import obtain
from edge.vision.embedders import DlibEmbedder, SfaceEmbedder
from edge.vision.face import CHIP, Picture, open_session
from edge.vision.face_pack import FacePack
from edge.vision.hog import HogDetector
from edge.vision.liveness import SIDE as LIVE_SIDE
from edge.vision.liveness import Liveness
from edge.vision.manifest import Manifest, Source, known_packs, read_manifest
from edge.vision.template import LENGTH
from edge.vision.yunet import OUTPUTS as YUNET_OUTPUTS
from edge.vision.yunet import YunetDetector, network_input
from edge.why import why

Progress = Callable[[float, str], None]

EMBEDDER = "embedder.onnx"
LANDMARKS = "landmarks.dat"
# role -> the file's name in an installed pack
FILES = {
    "embedder": EMBEDDER,
    "landmarks": LANDMARKS,
    "detector": "detector.onnx",
    "liveness27": "liveness27.onnx",
    "liveness40": "liveness40.onnx",
}
RECORD = "pack.json"
LOCK = ".install.lock"
DOWNLOADS = ".downloads"
# dlib and onnxruntime add in another order; on x86 they differ by 3e-7.
EQUAL_WITHIN = 1e-5


@dataclass(frozen=True)
class Installed:
    """One installed pack. `current` when it is the version that `load` takes now."""

    name: str
    version: str
    path: Path
    current: bool


def install(
    pack: str,
    models_dir: Path,
    progress: Progress | None = None,
    root: Path | None = None,
    origin: str | None = None,
) -> Path:
    """Make the pack ready under `models_dir` and return its folder; nothing is done where it already stands whole.

    Files of installed packages are looked up (without importing them), others fetched (`download`) from `origin`, a
    folder or an address, or from where the manifest says; each is checked against the manifest's SHA-256. The networks
    are converted or run once, and moved into place in one rename. `progress` is told the share done (0 to 1) and a
    sentence. `root` is the folder of the manifests, the product's own by default.

    NotFound `pack_unknown`; Unavailable `pack_source_missing`, `pack_unwritable`; VerificationFailed
    `pack_source_differs`, `pack_self_check`, `pack_network_differs`; BadInput `weights_unreadable`; and what
    `download.obtain` raises.
    """
    manifest = read_manifest(pack, root)
    target = models_dir / f"{manifest.name}-{manifest.version}"
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with _locked(models_dir / LOCK):
            if not _damaged_file(target, manifest):
                _tell(progress, 1.0, "pack_step_done")
                return target
            part = models_dir / f".{target.name}.part"
            shutil.rmtree(part, ignore_errors=True)
            try:
                part.mkdir()
                _build(manifest, part, models_dir / DOWNLOADS, origin, progress)
                _move_into_place(part, target)
            finally:
                shutil.rmtree(part, ignore_errors=True)
            _clear_downloads(manifest, models_dir / DOWNLOADS)
    except OSError as error:
        raise Unavailable("pack_unwritable", path=models_dir, detail=why(error)) from error
    _tell(progress, 1.0, "pack_step_done")
    return target


def installed(models_dir: Path, root: Path | None = None) -> list[Installed]:
    """The packs under `models_dir` whose record can be read, by name and version. Their files are checked by `load`."""
    current = {name: read_manifest(name, root).version for name in known_packs(root)}
    found = []
    for path in sorted(models_dir.glob(f"*/{RECORD}")):
        record = _record(path.parent)
        if record is not None and not path.parent.name.startswith("."):
            name, version = record["name"], record["version"]
            found.append(Installed(name, version, path.parent, current.get(name) == version))
    return found


def load(
    pack: str,
    models_dir: Path,
    root: Path | None = None,
    untested: bool = False,
    accept_at_most: float | None = None,
) -> FacePack:
    """The pack, ready to look at pictures, its files checked against the hashes of its installation.

    untested: also one that nobody has tried yet, to measure it. accept_at_most: the room's own limit where it is below
    the manifest's, for comparing and for searching. NotFound `pack_unknown`; Unavailable `pack_not_installed`,
    `pack_damaged`; ConfigError `pack_not_faces`, `pack_untested`.
    """
    manifest = read_manifest(pack, root)
    limits, search = manifest.limits, manifest.search_limits
    if accept_at_most is not None:
        limits = replace(limits, accept=min(limits.accept, accept_at_most))
        search = search and replace(search, accept=min(search.accept, accept_at_most))
    if manifest.untested and not untested:
        raise ConfigError("pack_untested", pack=pack)
    path = _checked(manifest, models_dir)
    landmarks, detector, embedder = (path / FILES[role] for role in ("landmarks", "detector", "embedder"))
    return FacePack(
        manifest.name,
        manifest.version,
        limits,
        manifest.fit,
        manifest.challenge_limits,
        HogDetector(landmarks) if manifest.kind == "dlib" else YunetDetector(detector),
        SfaceEmbedder(embedder) if manifest.kind == "sface" else DlibEmbedder(embedder),
        search,
    )


def load_liveness(models_dir: Path, root: Path | None = None, pack: str = "liveness") -> Liveness:
    """The liveness networks with their limits. NotFound, Unavailable as `load`; ConfigError `pack_not_liveness`."""
    manifest = read_manifest(pack, root)
    if manifest.liveness is None:
        raise ConfigError("pack_not_liveness", pack=pack)
    path = _checked(manifest, models_dir)
    limits = LiveThreshold(manifest.liveness.live, manifest.liveness.spoof)
    return Liveness(manifest.version, limits, path / FILES["liveness27"], path / FILES["liveness40"])


def _checked(manifest: Manifest, models_dir: Path) -> Path:
    path = models_dir / f"{manifest.name}-{manifest.version}"
    if not path.is_dir():
        raise Unavailable("pack_not_installed", pack=manifest.name)
    if damaged := _damaged_file(path, manifest):
        raise Unavailable("pack_damaged", pack=manifest.name, file=damaged)
    return path


def _build(manifest: Manifest, part: Path, downloads: Path, origin: str | None, progress: Progress | None) -> None:
    _tell(progress, 0.0, "pack_step_verify")
    difference = None
    fetched = [source for source in manifest.source if source.package is None]
    for place, source in enumerate(fetched):  # first, since they are what may fail
        _fetched(source, origin, downloads, part, progress, place / len(fetched), 1 / len(fetched))
    for source in manifest.source:
        if source.package is not None and source.role == "embedder":
            difference = _converted(source, part, progress)
        elif source.package is not None:
            _write(part / FILES[source.role], _verified(source, find_source(source)))
    _tell(progress, 0.9, "pack_step_write")
    record = {
        "name": manifest.name,
        "version": manifest.version,
        "sources": {source.role: source.sha256 for source in manifest.source},
        "files": {FILES[source.role]: _sha256(part / FILES[source.role]) for source in manifest.source},
        "largest_difference": difference,
    }
    _write(part / RECORD, json.dumps(record, indent=1).encode())
    _sync(part)


def _fetched(
    source: Source,
    origin: str | None,
    downloads: Path,
    part: Path,
    progress: Progress | None,
    start: float,
    share: float,
) -> None:
    """One file from elsewhere, which must run before it counts. The first 0.3 of the whole are for all of these."""

    def told(come: int, size: int) -> None:
        if progress is not None:
            words = f"{source.file}  {come / 1e6:.1f} / {size / 1e6:.1f} MB"
            progress(0.3 * (start + share * min(1.0, come / size)), words)

    whole = obtain(source, origin, downloads, told)
    target = part / FILES[source.role]
    shutil.copyfile(whole, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())
    _try_network(source, target)


def _try_network(source: Source, model: Path) -> None:
    """VerificationFailed (`pack_network_differs`) unless the network runs here and gives what its role needs.

    Its hash says that it is the file that is meant; whether this machine's onnxruntime runs it is another question.
    """
    try:
        if source.role == "detector":
            values = open_session(model).run(YUNET_OUTPUTS, {"input": network_input(np.zeros((64, 96, 3), np.uint8))})
            good = values[0].shape == (1, 96, 1) and values[-1].shape == (1, 6, 10)
        elif source.role == "embedder":
            good = SfaceEmbedder(model).run(np.full((1, 112, 112, 3), 128, np.uint8)).shape == (1, LENGTH)
        else:
            session = open_session(model)
            blank = np.zeros((1, 3, LIVE_SIDE, LIVE_SIDE), np.float32)
            good = session.run(None, {session.get_inputs()[0].name: blank})[0].shape == (1, 3)
    except Exception as error:  # onnxruntime raises its own classes, straight from RuntimeError and Exception
        raise VerificationFailed("pack_network_differs", file=source.file) from error
    if not good:
        raise VerificationFailed("pack_network_differs", file=source.file)


def _converted(source: Source, part: Path, progress: Progress | None) -> float:
    """dlib's network as a model, run beside the original; the largest difference."""
    # onnx is needed for installing only; a check-in that loads a pack must not carry it.
    from edge.vision.convert import to_onnx

    original = find_source(source)
    weights = _verified(source, original)
    _tell(progress, 0.3, "pack_step_convert")
    model = to_onnx(read_network(weights))
    _tell(progress, 0.7, "pack_step_check")
    difference = self_check(model, original)
    _write(part / FILES[source.role], model)
    return difference


def _clear_downloads(manifest: Manifest, downloads: Path) -> None:
    """What is installed needs no second copy; parts of other packs stay for their next attempt."""
    for source in manifest.source:
        for name in (f"{source.sha256}", f"{source.sha256}.part"):
            (downloads / name).unlink(missing_ok=True)
    if downloads.is_dir() and not any(downloads.iterdir()):
        downloads.rmdir()


def find_source(source: Source) -> Path:
    """The file inside its installed package, which is located and not imported. Unavailable `pack_source_missing`."""
    spec = importlib.util.find_spec(source.package or "")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / source.file
        if path.is_file():
            return path
    raise Unavailable("pack_source_missing", package=source.package, file=source.file)


def _verified(source: Source, path: Path) -> bytes:
    data = path.read_bytes()
    if len(data) != source.size or hashlib.sha256(data).hexdigest() != source.sha256:
        raise VerificationFailed("pack_source_differs", package=source.package, file=source.file)
    return data


def self_check(model: bytes, original: Path) -> float:
    """The largest difference between the converted model and dlib's own run of the original, over three chips.

    VerificationFailed (`pack_self_check`) above 1e-5, and for a model that does not run at all.
    """
    import dlib

    chips = _check_chips()
    reference = dlib.face_recognition_model_v1(str(original))
    expected = np.array([reference.compute_face_descriptor(np.ascontiguousarray(chip[:, :, ::-1])) for chip in chips])
    try:
        found = open_session(model).run([OUTPUT], {INPUT: chips})[0]
    except Exception as error:  # onnxruntime raises its own classes, straight from RuntimeError and Exception
        raise VerificationFailed("pack_self_check", difference=error) from error
    difference = float(np.abs(found - expected).max()) if found.shape == expected.shape else float("inf")
    if not difference <= EQUAL_WITHIN:
        raise VerificationFailed("pack_self_check", difference=f"{difference:.1e}")
    return difference


def _check_chips() -> Picture:
    """Three fixed pictures, uint8 [3, 150, 150, 3]: waves of three lengths, other ones in each channel."""
    rows, columns = np.mgrid[0:CHIP, 0:CHIP]
    waves = [
        [np.sin(rows / length + 2 * channel) * np.cos(columns / (length + channel)) for channel in range(3)]
        for length in (3, 9, 27)
    ]
    return np.round(127.5 + 127.5 * np.moveaxis(np.array(waves), 1, -1)).astype(np.uint8)


def _record(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads((path / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    texts = isinstance(record, dict) and all(isinstance(record.get(key), str) for key in ("name", "version"))
    return record if texts and isinstance(record.get("files"), dict) else None


def _damaged_file(path: Path, manifest: Manifest) -> str | None:
    """The first file of an installed pack that is missing or not as it was installed; None when all are there."""
    record = _record(path)
    if record is None:
        return RECORD
    for name in (FILES[source.role] for source in manifest.source):
        try:
            whole = record["files"].get(name) == _sha256(path / name)
        except OSError:
            whole = False
        if not whole:
            return name
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _move_into_place(part: Path, target: Path) -> None:
    """A damaged installation steps aside first; a crash in between leaves none, which the next install mends."""
    if target.exists():
        aside = target.with_name(f".{target.name}.old")
        shutil.rmtree(aside, ignore_errors=True)
        target.rename(aside)
        part.rename(target)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        part.rename(target)
    _sync(target.parent)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two installs at once take turns; the lock goes with the process."""
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _tell(progress: Progress | None, share: float, code: str) -> None:
    if progress is not None:
        progress(share, f"{sentence(code, 'zh')} / {sentence(code, 'en')}")
