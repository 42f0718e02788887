"""Fetching a pack's file: from a folder or over HTTP, resumed where it broke off, and taken only with its pinned hash.

A file on its way is called after its hash (`HASH.part`), so that what one attempt left is the next one's start, and
two packs that share a file share the download. It becomes `HASH` in one rename, once it has the pinned size and hash.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote, urlsplit

import requests

from edge.errors import BadInput, ExamroomError, NotFound, Unavailable, VerificationFailed
from edge.vision.manifest import Source

BLOCK = 1 << 16
TIMEOUT_S = (10.0, 30.0)
TRIES = 4
PAUSE_S = 0.5

Told = Callable[[int, int], None]
"""Bytes so far, bytes in all."""


def obtain(source: Source, origin: str | None, folder: Path, told: Told | None = None) -> Path:
    """The file of `source` under `folder`, whole and checked; at once where it is there already.

    origin: a folder, an address of one, or None for the manifest's own address. Nothing but the pinned file is taken:

    Unavailable `pack_hash_unknown` (nobody has established the hash), `pack_no_origin`, `pack_download_status`,
    `pack_download_broken`; NotFound `pack_file_missing`; BadInput `pack_origin_invalid`; VerificationFailed
    `pack_download_page`, `pack_download_size`, `pack_file_differs`. What came is kept for the next attempt unless it is
    of another file. OSError where `folder` cannot be written; what is left of a full disk is removed.
    """
    if source.sha256 is None or source.size is None:
        raise Unavailable("pack_hash_unknown", file=source.file)
    whole = folder / source.sha256
    if whole.is_file() and _is(source, whole):
        return whole
    part = folder / f"{source.sha256}.part"
    where = origin if origin is not None else source.url
    if where is None:
        raise Unavailable("pack_no_origin", file=source.file)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if "://" in where:
            url, resumed = address(where, source.file), part.is_file()
            _fetch(source, url, part, told)
            if resumed and not _is(source, part):  # what was left may have been of another file, or of a torn write
                part.unlink()
                _fetch(source, url, part, told)
        else:
            _copy(source, Path(where), part, told)
        if not _is(source, part):
            part.unlink()
            raise VerificationFailed("pack_file_differs", file=source.file, origin=_plain(where))
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(whole)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    return whole


def address(origin: str, file: str) -> str:
    """The address of a file: `origin` itself where it names it, else beneath it. BadInput `pack_origin_invalid`."""
    try:
        parts = urlsplit(origin)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and origin.isprintable() and " " not in origin
    except ValueError:
        good = False
    if not good:
        raise BadInput("pack_origin_invalid", origin=origin[:200])
    if parts.path.rpartition("/")[2] == file:
        return origin
    return parts._replace(path=f"{parts.path.rstrip('/')}/{quote(file)}").geturl()


def _is(source: Source, path: Path) -> bool:
    with path.open("rb") as file:
        return path.stat().st_size == source.size and hashlib.file_digest(file, "sha256").hexdigest() == source.sha256


def _copy(source: Source, folder: Path, part: Path, told: Told | None) -> None:
    """From a folder, or the file itself."""
    path = folder / source.file if folder.is_dir() else folder
    if not path.is_file() or (path is folder and path.name != source.file):
        raise NotFound("pack_file_missing", file=source.file, folder=folder)
    size = source.size or 0
    if path.stat().st_size != size:
        raise VerificationFailed("pack_download_size", file=source.file, size=path.stat().st_size, wanted=size)
    done = 0
    try:
        there = path.open("rb")
    except OSError as error:
        raise NotFound("pack_file_missing", file=source.file, folder=folder) from error
    with there, part.open("wb") as here:
        while block := there.read(BLOCK):
            here.write(block)
            done += len(block)
            if told is not None:
                told(done, size)


class _Broken(Exception):
    """The connection ended before the file did."""


def _fetch(source: Source, url: str, part: Path, told: Told | None) -> None:
    """Try until the file is whole: again at once after progress, up to four times in a row without."""
    size = source.size or 0
    failures = 0
    while True:
        before = _length(part)
        if before > size:
            part.unlink()
            before = 0
        if before == size:
            return
        try:
            _fetch_on(source, url, part, before, told)
        except (requests.RequestException, _Broken) as error:
            failures = 0 if _length(part) > before else failures + 1
            refused = isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema))
            if failures >= TRIES or refused or isinstance(error, requests.exceptions.SSLError):
                raise _broken(source, url, part, error) from error
            if failures:
                time.sleep(PAUSE_S * failures)


def _broken(source: Source, url: str, part: Path, error: Exception) -> ExamroomError:
    host = urlsplit(url).hostname
    come = _length(part)
    if not come and isinstance(error, requests.ConnectionError):
        return Unavailable("pack_no_network", host=host, file=source.file)
    return Unavailable("pack_download_broken", file=source.file, host=host, come=come, size=source.size)


def _fetch_on(source: Source, url: str, part: Path, before: int, told: Told | None) -> None:
    """One request: from byte `before` on where the server can, else from the start."""
    size = source.size or 0
    headers = {"Accept-Encoding": "identity"}
    if before:
        headers["Range"] = f"bytes={before}-"
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
        if answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and before:
            part.unlink()  # what we have is not of this file
            raise _Broken
        if answer.status_code in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            raise _Broken
        if answer.status_code not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            raise Unavailable("pack_download_status", file=source.file, status=answer.status_code, url=_plain(url))
        at = _start(answer, before)
        _check_length(source, answer, at)
        done = at
        blocks = answer.iter_content(BLOCK)
        first = next(blocks, b"")
        if at == 0 and _is_page(first):  # known before it takes the place of what came earlier
            raise VerificationFailed("pack_download_page", file=source.file, url=_plain(url))
        with part.open("r+b" if at else "wb") as file:
            file.truncate(at)
            file.seek(at)
            for block in itertools.chain([first], blocks):
                done += len(block)
                if done > size:
                    part.unlink()  # what came of it is of another file
                    raise VerificationFailed("pack_download_size", file=source.file, size=done, wanted=size)
                file.write(block)
                if told is not None:
                    told(done, size)
        if done < size:
            raise _Broken


def _start(answer: requests.Response, before: int) -> int:
    """The byte that the body begins with; an answer that does not say so of a part begins anew."""
    if answer.status_code != HTTPStatus.PARTIAL_CONTENT:
        return 0
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", "").strip())
    if found is None or int(found[1]) != before:
        raise _Broken
    return before


def _check_length(source: Source, answer: requests.Response, at: int) -> None:
    """VerificationFailed where the server says beforehand that this is a page or a file of another size."""
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        raise VerificationFailed("pack_download_page", file=source.file, url=_plain(answer.url))
    said = answer.headers.get("Content-Length", "")
    encoded = answer.headers.get("Content-Encoding", "identity") != "identity"
    if said.isdigit() and not encoded and at + int(said) != source.size:
        raise VerificationFailed("pack_download_size", file=source.file, size=at + int(said), wanted=source.size)


def _is_page(block: bytes) -> bool:
    return block[:64].lstrip().lower().startswith((b"<!doctype", b"<html"))


def _plain(url: str) -> str:
    """The address without what may be a secret in it; a folder as it is."""
    parts = urlsplit(url)
    if not parts.netloc:
        return url
    host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    return parts._replace(netloc=host, query="", fragment="").geturl()


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
