"""The files of a package, from a zip, a folder or one file; nothing of it is ever unpacked to disk.

Refused whole: paths that leave the package, links, encrypted or repeated entries, and what would unpack to more than
the limits (a zip bomb says so in its directory, and no more than that is ever read).
"""

from __future__ import annotations

import posixpath
import stat
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from edge.bank.problems import Fault
from edge.domain.reasons import words
from edge.errors import BadInput
from edge.why import why

FILES = 200_000
ONE = 16_000_000
ALL = 1_000_000_000
RATIO = 200
"""Packed more densely than this, a file past 1 MB is a bomb: text of this kind packs 5 to 20 times."""


@dataclass(frozen=True)
class Package:
    """`names` are paths inside it, with slashes; `read` gives a file's bytes or raises Fault."""

    label: str
    names: frozenset[str]
    _read: Callable[[str, int], bytes]

    def read(self, name: str, limit: int = ONE) -> bytes:
        """At most `limit` bytes."""
        if name not in self.names:
            raise Fault("bank_file_missing", file=name)
        return self._read(name, limit)


def open_package(path: Path) -> Package:
    """BadInput when `path` is no readable zip, folder or file, or is not safe to read."""
    try:
        if path.is_dir():
            return _folder(path)
        with path.open("rb") as file:
            start = file.read(4)
        if start.startswith(b"PK"):
            return _zip(path)
        if path.stat().st_size > ONE:
            raise BadInput("bank_too_large", file=path.name, detail=words("check_above", most=ONE // 1_000_000))
        return Package(path.name, frozenset([path.name]), lambda _name, _limit: path.read_bytes())
    except OSError as error:
        raise BadInput("bank_unreadable", file=path.name, detail=why(error)) from error


def _folder(path: Path) -> Package:
    names: set[str] = set()
    size = 0
    for file in path.rglob("*"):
        if file.is_symlink():
            raise BadInput("bank_unsafe", file=path.name, detail=words("unsafe_link", name=file.relative_to(path)))
        if file.is_file():
            names.add(file.relative_to(path).as_posix())
            size += file.stat().st_size
        _limits(path.name, len(names), size)

    def read(name: str, limit: int) -> bytes:
        file = path / name
        try:
            if file.stat().st_size > limit:
                raise Fault("bank_file_large", file=name, most=limit // 1_000_000)
            return file.read_bytes()
        except OSError as error:
            raise Fault("bank_file_broken", file=name, detail=why(error)) from error

    return Package(path.name, frozenset(names), read)


def _zip(path: Path) -> Package:
    try:
        archive = zipfile.ZipFile(path)  # stays open for as long as the package is read
    except Exception as error:  # a broken zip fails in more ways than the module has names for
        raise BadInput("bank_unreadable", file=path.name, detail=words("check_zip")) from error
    entries: dict[str, zipfile.ZipInfo] = {}
    size = 0
    try:
        for info in archive.infolist():
            if info.is_dir() or info.filename.startswith("__MACOSX/"):
                continue
            name = _name(info)
            if problem := _unsafe(name, info):
                raise BadInput("bank_unsafe", file=path.name, detail=words(problem, name=name[:80]))
            if name in entries:
                raise BadInput("bank_unsafe", file=path.name, detail=words("unsafe_twice", name=name[:80]))
            entries[name] = info
            size += info.file_size
            _limits(path.name, len(entries), size)
    except BadInput:
        archive.close()
        raise

    def read(name: str, limit: int) -> bytes:
        info = entries[name]
        if info.file_size > limit:
            raise Fault("bank_file_large", file=name, most=limit // 1_000_000)
        try:
            return archive.read(info)
        except Exception as error:  # zlib, CRC, struct, EOF: all mean the same to who reads the message
            raise Fault("bank_file_broken", file=name, detail=words("check_member_damaged")) from error

    return Package(path.name, frozenset(entries), read)


def _limits(label: str, files: int, size: int) -> None:
    if files > FILES or size > ALL:
        raise BadInput(
            "bank_too_large", file=label, detail=words("check_many_files", files=FILES, most=ALL // 1_000_000)
        )


def _name(info: zipfile.ZipInfo) -> str:
    """Chinese Windows writes names in GBK and says nothing of it; zipfile then takes them for cp437."""
    if info.flag_bits & 0x800 or info.filename.isascii():
        return info.filename
    raw = info.filename.encode("cp437", "replace")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return info.filename


def _unsafe(name: str, info: zipfile.ZipInfo) -> str | None:
    if name.startswith("/") or "\\" in name or "\0" in name or ":" in name.split("/")[0] or ".." in name.split("/"):
        return "unsafe_path"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "unsafe_link"
    if info.flag_bits & 0x1:
        return "unsafe_encrypted"
    if info.file_size > 1_000_000 and info.file_size > RATIO * max(1, info.compress_size):
        return "unsafe_bomb"
    return None


def resolve(base: str, href: str, *folders: str) -> str:
    """The package path that `href` in the file `base` means; `folders` are the `xml:base` around it, outermost first.

    Fault when it names no file, or leads out of the package.
    """
    if not href.strip():
        raise Fault("bank_file_unnamed")
    try:
        parts = urlsplit(href.strip())
        around = [urlsplit(folder.strip()) for folder in folders]
    except ValueError as error:
        raise Fault("bank_file_outside", file=href[:80]) from error
    if outside := next((one for one in around if one.scheme or one.netloc), None):
        raise Fault("bank_file_outside", file=outside.geturl()[:80])
    folder = posixpath.dirname(base)
    for one in around:
        # as with any URL, what stands after the last slash of a base is a file and no folder
        folder = posixpath.join(folder, posixpath.dirname(unquote(one.path)))
    path = posixpath.normpath(posixpath.join(folder, unquote(parts.path)))
    if parts.scheme or parts.netloc or not parts.path or path.startswith(("/", "../")) or path in ("..", "."):
        raise Fault("bank_file_outside", file=href[:80])
    return path
