"""Footage as it lies in folders: a folder a camera, a `.mp4` a segment, and what is kept beside one under its name."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

EXPORTS = ".exports"
"""Where exports wait to be fetched; no camera can be called that."""
CLIPS = ".clips"
"""Where what the province asked for waits to be sent."""
ASIDE = ".expired"
"""A segment's file whose deletion has begun has this after its name."""
_BESIDE = (".mp4.tail", ".mp4.thumbs", ".thumbs")
_ANY_BESIDE = re.compile(r"([0-9a-f]{32}-[0-9]{6,9})(?:\.mp4)?\.(?!mp4$|expired$)[a-z]+")


def sync_folder(folder: Path) -> None:
    """What was created, renamed or deleted in it is so after a power cut too."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open_footage(path: Path) -> BinaryIO:
    """A segment's file to read, also in the moment in which a sweep has set it aside and must take that back.

    OSError where it is gone.
    """
    for name in (path, path.with_name(path.name + ASIDE)):
        with suppress(FileNotFoundError):
            return name.open("rb")
    return path.open("rb")


def delete_beside(segment: Path) -> None:
    """Delete what is kept beside a segment's file: bytes of a torn write, small pictures."""
    for suffix in _BESIDE:
        segment.with_name(segment.stem + suffix).unlink(missing_ok=True)


def alone(folder: Path) -> list[tuple[Path, Path]]:
    """(file, the segment's file it was kept beside) of what in a camera's folder has outlived its segment's file."""
    names = {p.name for p in folder.iterdir()} if folder.is_dir() else set[str]()
    found = [(name, f"{match[1]}.mp4") for name in sorted(names) if (match := _ANY_BESIDE.fullmatch(name))]
    return [(folder / name, folder / of) for name, of in found if not names & {of, of + ASIDE}]


def folders(recordings: Path) -> list[Path]:
    """Each camera's folder, also of one that is no longer configured."""
    found = recordings.iterdir() if recordings.is_dir() else ()
    return sorted(p for p in found if p.is_dir() and p.name not in (EXPORTS, CLIPS))


def exported_bytes(recordings: Path) -> int:
    """Of the files that can be made again, ready or being written."""
    size = 0
    for folder in (recordings / EXPORTS, recordings / CLIPS):
        for file in folder.iterdir() if folder.is_dir() else ():
            with suppress(FileNotFoundError):
                size += file.stat().st_size
    return size
