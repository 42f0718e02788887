"""The log on the second medium: one append-only file a generation, of framed and checksummed records.

    first line   "examroom mirror 1"
    second line  JSON: {"made_ms", "room", "sealed": whether the records are encrypted, "salt": hex}
    then records kind (1 byte), length (4), number from 0 (8), payload, CRC-32 of all before it (4); big-endian

Kinds: a patch of a database ("room.db" or "answers.db", see `edge.store.pages`), a file (its mode in two bytes, its
content), a file that is gone, "whole" (from here on the generation can be restored from), a mark (JSON: {"wall_ms"}),
and a part: a patch or content that counts only together with the patch or file of its name that ends the run of them.
A torn record at the end is what the power took; it and what follows are not read, and how much that is gets told.
Sealed records are ChaCha20-Poly1305 under a key that scrypt makes of the
secret and the generation's salt; the record's number is the nonce.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import secrets
import struct
import zlib
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from edge import clock
from edge.errors import BadInput, Refused

MAGIC = b"examroom mirror 1\n"
NAME = re.compile(r"room-([0-9]{10})\.mirror")
_HEAD = struct.Struct(">BIQ")
_CRC = struct.Struct(">I")
# what the head of a record looks like: a kind, a length below MOST, a number of a generation that is not yet huge
_LIKE_HEAD = re.compile(rb"[\x01-\x06](?=[\x00-\x10].{3}\x00{4}.{4})", re.DOTALL)
_FAR = 1 << 24
_TAG = 16
MOST = 256 * 1024 * 1024


class Kind(IntEnum):
    PATCH = 1
    FILE = 2
    GONE = 3
    WHOLE = 4
    MARK = 5
    PART = 6


class Record(NamedTuple):
    kind: Kind
    name: str
    data: bytes


def generations(folder: Path) -> list[Path]:
    """The generations in a mirror's folder, oldest first."""
    return sorted(file for file in folder.iterdir() if NAME.fullmatch(file.name)) if folder.is_dir() else []


class LogWriter:
    """A new generation, numbered after the last. OSError when the medium refuses."""

    def __init__(self, folder: Path, room: str, secret: bytes | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        before = generations(folder)
        number = int(before[-1].stem.partition("-")[2]) + 1 if before else 1
        self.path = folder / f"room-{number:010d}.mirror"
        salt = secrets.token_bytes(16)
        self._aead = None if secret is None else _aead(secret, salt)
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._number = 0
        self.size = 0
        facts = {"made_ms": clock.wall_ms(), "room": room, "sealed": secret is not None, "salt": salt.hex()}
        self._write(MAGIC + json.dumps(facts).encode() + b"\n")

    def add(self, kind: Kind, name: str = "", data: bytes = b"") -> None:
        """Append one record; on the medium after the next `sync`."""
        payload = _pack(name, data)
        if self._aead is not None:
            head = _HEAD.pack(kind, len(payload) + _TAG, self._number)
            payload = self._aead.encrypt(_nonce(self._number), payload, head)
        head = _HEAD.pack(kind, len(payload), self._number)
        self._write(head + payload + _CRC.pack(zlib.crc32(payload, zlib.crc32(head))))
        self._number += 1

    def sync(self) -> None:
        os.fdatasync(self._file)

    def sync_folder(self) -> None:
        """Make the file's name as lasting as its bytes."""
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def need_name(self) -> int:
        """The device the file is on; OSError when the file is no longer where it was made: another disk, or none."""
        here, there = os.fstat(self._file), self.path.stat()
        if (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino):
            raise FileNotFoundError(self.path)
        return here.st_dev

    def close(self) -> None:
        os.close(self._file)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]
        self.size += len(data)


class LogReader:
    """A generation's records up to the first that is not whole, in one pass; then how much was left unread, and why.

    BadInput when the file is no generation; Refused when it is sealed and `secret` is none or another.
    """

    def __init__(self, path: Path, secret: bytes | None) -> None:
        self._path = path
        self.unread = 0
        """Bytes from the first record that is not whole to the end."""
        self.broken = False
        """Whether whole records follow that one: it is damage, not the end that a power cut tore."""
        with path.open("rb") as file:
            if file.readline(64) != MAGIC:
                raise BadInput("mirror_broken", path=path)
            try:
                self.facts: dict[str, Any] = json.loads(file.readline(4096))
                salt, sealed = bytes.fromhex(self.facts["salt"]), bool(self.facts["sealed"])
            except (ValueError, KeyError, TypeError) as error:
                raise BadInput("mirror_broken", path=path) from error
            self._begin = file.tell()
        if sealed and secret is None:
            raise Refused("mirror_secret_wanted")
        self._aead = _aead(secret, salt) if sealed and secret is not None else None

    def __iter__(self) -> Iterator[Record]:
        number, at = 0, self._begin
        with self._path.open("rb") as file:
            file.seek(at)
            while (found := _read_record(file, number)) is not None:
                kind, head, payload = found
                if self._aead is not None:
                    try:
                        payload = self._aead.decrypt(_nonce(number), payload, head)
                    except InvalidTag as error:
                        raise Refused("mirror_secret_wrong") from error
                number, at = number + 1, file.tell()
                yield Record(kind, *_unpack(payload))
            self.unread = os.fstat(file.fileno()).st_size - at
            self.broken = _follows(file, at, number)


def _read_record(file: BinaryIO, number: int) -> tuple[Kind, bytes, bytes] | None:
    """(kind, head, payload) of the record that begins here, or None when it is not a whole one with this number."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    kind, length, said = _HEAD.unpack(head)
    if said != number or length > MOST or kind not in set(Kind):
        return None
    payload, crc = file.read(length), file.read(_CRC.size)
    if len(crc) < _CRC.size or _CRC.unpack(crc)[0] != zlib.crc32(payload, zlib.crc32(head)):
        return None
    return Kind(kind), head, payload


def _follows(file: BinaryIO, at: int, number: int) -> bool:
    """Whether a whole record with a higher number stands anywhere behind `at`."""
    size = os.fstat(file.fileno()).st_size
    if size - at <= _HEAD.size:
        return False
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as rest:
        for place in _LIKE_HEAD.finditer(rest, at + 1):
            _, length, said = _HEAD.unpack_from(rest, place.start())
            if number < said < number + _FAR and place.start() + _HEAD.size + length + _CRC.size <= size:
                file.seek(place.start())
                if _read_record(file, said) is not None:
                    return True
    return False


def _pack(name: str, data: bytes) -> bytes:
    raw = name.encode()
    return struct.pack(">H", len(raw)) + raw + data


def _unpack(payload: bytes) -> tuple[str, bytes]:
    (length,) = struct.unpack_from(">H", payload)
    return payload[2 : 2 + length].decode(), payload[2 + length :]


def _aead(secret: bytes, salt: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(Scrypt(salt=salt, length=32, n=2**15, r=8, p=1).derive(secret))


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")
