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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.domain.reasons import sentence
from edge.errors import Unavailable, VerificationFailed
from edge.vision.dlib_weights import INPUT, OUTPUT, read_network
from edge.vision.face_pack import CHIP, FacePack, Picture, open_session
from edge.vision.manifest import Manifest, Source, known_packs, read_manifest
from edge.why import why

Progress = Callable[[float, str], None]

EMBEDDER = "embedder.onnx"
LANDMARKS = "landmarks.dat"
RECORD = "pack.json"
LOCK = ".install.lock"
# dlib and onnxruntime add in another order; on x86 they differ by 3e-7.
EQUAL_WITHIN = 1e-5


@dataclass(frozen=True)
class Installed:
    """One installed pack. `current` when it is the version that `load` takes now."""

    name: str
    version: str
    path: Path
    current: bool


def install(pack: str, models_dir: Path, progress: Progress | None = None, root: Path | None = None) -> Path:
    """Make the pack ready under `models_dir` and return its folder; nothing is done where it already stands whole.

    The sources are looked up in installed packages (without importing them), checked against the manifest's SHA-256,
    converted, run beside the original on a fixed input, and moved into place in one rename. `progress` is told the
    share done (0 to 1) and a sentence. `root` is the folder of the manifests, the product's own by default.

    NotFound `pack_unknown`; Unavailable `pack_source_missing`, `pack_unwritable`; VerificationFailed
    `pack_source_differs`, `pack_self_check`; BadInput `weights_unreadable`.
    """
    manifest = read_manifest(pack, root)
    target = models_dir / f"{manifest.name}-{manifest.version}"
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with _locked(models_dir / LOCK):
            if not _damaged_file(target):
                _tell(progress, 1.0, "pack_step_done")
                return target
            part = models_dir / f".{target.name}.part"
            shutil.rmtree(part, ignore_errors=True)
            try:
                part.mkdir()
                _build(manifest, part, progress)
                _move_into_place(part, target)
            finally:
                shutil.rmtree(part, ignore_errors=True)
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


def load(pack: str, models_dir: Path, root: Path | None = None) -> FacePack:
    """The pack, ready to look at pictures, its files checked against the hashes of its installation.

    NotFound `pack_unknown`; Unavailable `pack_not_installed`, `pack_damaged`.
    """
    manifest = read_manifest(pack, root)
    path = models_dir / f"{manifest.name}-{manifest.version}"
    if not path.is_dir():
        raise Unavailable("pack_not_installed", pack=pack)
    if damaged := _damaged_file(path):
        raise Unavailable("pack_damaged", pack=pack, file=damaged)
    return FacePack(manifest.name, manifest.version, manifest.limits, path / LANDMARKS, path / EMBEDDER)


def _build(manifest: Manifest, part: Path, progress: Progress | None) -> None:
    # onnx is needed for installing only; a check-in that loads a pack must not carry it.
    from edge.vision.convert import to_onnx

    _tell(progress, 0.0, "pack_step_verify")
    original = find_source(manifest.role("embedder"))
    weights = _verified(manifest.role("embedder"), original)
    landmarks = manifest.role("landmarks")
    _write(part / LANDMARKS, _verified(landmarks, find_source(landmarks)))
    _tell(progress, 0.3, "pack_step_convert")
    model = to_onnx(read_network(weights))
    _tell(progress, 0.7, "pack_step_check")
    difference = self_check(model, original)
    _tell(progress, 0.9, "pack_step_write")
    _write(part / EMBEDDER, model)
    record = {
        "name": manifest.name,
        "version": manifest.version,
        "sources": {source.role: source.sha256 for source in manifest.source},
        "files": {name: _sha256(part / name) for name in (EMBEDDER, LANDMARKS)},
        "largest_difference": difference,
    }
    _write(part / RECORD, json.dumps(record, indent=1).encode())
    _sync(part)


def find_source(source: Source) -> Path:
    """The file inside its installed package, which is located and not imported. Unavailable `pack_source_missing`."""
    spec = importlib.util.find_spec(source.package)
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


def _damaged_file(path: Path) -> str | None:
    """The first file of an installed pack that is missing or not as it was installed; None when all are."""
    record = _record(path)
    if record is None:
        return RECORD
    for name in (EMBEDDER, LANDMARKS):
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
