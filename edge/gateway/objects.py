"""Where footage that rooms send is kept: each file comes in parts, to addresses that let one part in and nothing else.

In a folder of the gateway's, with addresses of its own signed by HMAC-SHA256; or in an S3 bucket (multipart uploads,
presigned addresses). S3 was tried against the published signatures and a server of the tests, never a real bucket.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import quote, urlencode
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import requests

from edge import clock
from edge.domain.reasons import words
from edge.errors import BadInput, NotFound, Refused, Unavailable, VerificationFailed
from edge.gateway.sigv4 import Signing, presign
from edge.trust.remote import ClipFile
from edge.trust.signer import read_secret, write_secret
from edge.why import why

ADDRESS_S = 3600
"""So long an address lets its part in; a room that was held up asks for another."""
_BLOCK = 1 << 20
_SPARE = 256 << 20
_S3_PART = 5 << 20
_S3_SECONDS, _S3_ASKED_S = 60, 8
"""So long a bucket may take to put together or delete; and for what a room waits for, which has ten seconds itself."""
_NUMBER = re.compile(r"[1-9][0-9]{0,4}")


class ObjectStore(Protocol):
    """Files by their clip's id. Unavailable where the store does not let us."""

    def begin(self, clip: str, file: ClipFile) -> str:
        """Make ready for the parts of `file`; the store's own name for them."""

    def missing(self, clip: str, upload: str, file: ClipFile) -> list[int] | None:
        """The numbers of the parts that are not there, from 1; none once the whole is. None where the store has neither
        the whole nor what was begun: it is to be begun anew.
        """

    def address(self, clip: str, upload: str, file: ClipFile, number: int) -> str:
        """Where to PUT one part."""

    def finish(self, clip: str, upload: str, file: ClipFile) -> None:
        """Put the parts together, all of which are there, and read the whole; again does no harm. It may take minutes.

        VerificationFailed (`clip_content_wrong`) where the whole is not `file`: then nothing of it is left.
        """

    def blocks(self, clip: str) -> Iterator[bytes]:
        """The bytes of a finished file."""

    def delete(self, clip: str, upload: str | None) -> None:
        """Remove the file and what there is of its parts; nothing where there is none."""


@dataclass(frozen=True)
class FolderStore:
    """A folder a clip, a file a part, named by number and SHA-256; `secret` signs the addresses."""

    folder: Path
    secret: bytes

    def begin(self, clip: str, file: ClipFile) -> str:
        self._need_space(2 * file.size)
        return ""

    def missing(self, clip: str, upload: str, file: ClipFile) -> list[int] | None:
        if self._is_whole(clip, file):
            return []
        return [n for n, sha256 in enumerate(file.parts, 1) if not self._part(clip, n, sha256).is_file()]

    def address(self, clip: str, upload: str, file: ClipFile, number: int) -> str:
        said = {
            "expires": str(clock.wall_ms() // 1000 + ADDRESS_S),
            "sha256": file.parts[number - 1],
            "size": str(file.part_size(number)),
        }
        return f"/v1/parts/{clip}/{number}?{urlencode({**said, 'signature': self._sign(clip, number, said)})}"

    def check(self, clip: str, number: int, query: Mapping[str, str]) -> dict[str, str]:
        """What an address of ours says. Refused `clip_address`: it is none, or an old one."""
        said = {name: query.get(name, "") for name in ("expires", "sha256", "size")}
        good = hmac.compare_digest(self._sign(clip, number, said).encode(), query.get("signature", "").encode())
        if not good or int(said["expires"]) * 1000 < clock.wall_ms():
            raise Refused("clip_address")
        return said

    def take(self, clip: str, number: int, query: Mapping[str, str], body: IO[bytes]) -> None:
        """Take in the part that an address was made for. Refused `clip_address`: by no address of ours, or an old one.
        VerificationFailed `clip_part_wrong`: other bytes.
        """
        said = self.check(clip, number, query)
        size = int(said["size"])
        self._need_space(size)
        target = self._part(clip, number, said["sha256"])
        part = target.with_name(f".{secrets.token_hex(8)}")
        digest, got = hashlib.sha256(), 0
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with part.open("xb") as file:
                while got <= size and (block := body.read(min(_BLOCK, size + 1 - got))):
                    digest.update(block)
                    got += len(block)
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            if (got, digest.hexdigest()) != (size, said["sha256"]):
                raise VerificationFailed("clip_part_wrong")
            part.rename(target)
        except OSError as error:
            raise Unavailable("clip_store", detail=why(error)) from error
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def finish(self, clip: str, upload: str, file: ClipFile) -> None:
        if self._is_whole(clip, file):  # by a process that was killed before it could note it
            return
        self._need_space(file.size)
        target = self._file(clip)
        part = target.with_name(f".{secrets.token_hex(8)}")
        digest, left = hashlib.sha256(), file.size
        try:
            with part.open("xb") as whole:
                for number, sha256 in enumerate(file.parts, 1):
                    with self._part(clip, number, sha256).open("rb") as one:
                        while block := one.read(_BLOCK):
                            digest.update(block)
                            left -= len(block)
                            whole.write(block)
                whole.flush()
                os.fsync(whole.fileno())
            if left or digest.hexdigest() != file.sha256:
                self.delete(clip, upload)
                raise VerificationFailed("clip_content_wrong")
            part.rename(target)
            for number, sha256 in enumerate(file.parts, 1):
                self._part(clip, number, sha256).unlink(missing_ok=True)
        except OSError as error:
            raise Unavailable("clip_store", detail=why(error)) from error
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def blocks(self, clip: str) -> Iterator[bytes]:
        try:
            with self._file(clip).open("rb") as file:
                while block := file.read(_BLOCK):
                    yield block
        except FileNotFoundError as error:
            raise NotFound("clip_not_here", clip=clip) from error
        except OSError as error:
            raise Unavailable("clip_store", detail=why(error)) from error

    def delete(self, clip: str, upload: str | None) -> None:
        try:
            shutil.rmtree(self.folder / clip)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise Unavailable("clip_store", detail=why(error)) from error

    def tidy(self, known: Collection[str]) -> None:
        """Remove what is half written, and the folders of clips that are not among those `known`."""
        for folder in self.folder.iterdir() if self.folder.is_dir() else ():
            if folder.name not in known:
                self.delete(folder.name, None)
                continue
            for half in folder.glob(".*"):
                half.unlink(missing_ok=True)

    def _is_whole(self, clip: str, file: ClipFile) -> bool:
        """What has the file's name was compared before it was given it."""
        try:
            return self._file(clip).stat().st_size == file.size
        except OSError:
            return False

    def _file(self, clip: str) -> Path:
        return self.folder / clip / "evidence.zip"

    def _part(self, clip: str, number: int, sha256: str) -> Path:
        return self.folder / clip / f"{number:05d}-{sha256}"

    def _sign(self, clip: str, number: int, said: Mapping[str, str]) -> str:
        message = "\n".join(("PUT", clip, str(number), said["expires"], said["sha256"], said["size"]))
        return hmac.digest(self.secret, message.encode(), "sha256").hex()

    def _need_space(self, size: int) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            raise Unavailable("clip_store", detail=why(error)) from error
        if free < size + _SPARE:
            raise Unavailable("clip_store_full")


@dataclass(frozen=True)
class S3Store:
    """An S3 bucket at `url`, addressed by path. What it put together is read back once: it checks sizes alone."""

    url: str
    bucket: str
    signing: Signing

    def begin(self, clip: str, file: ClipFile) -> str:
        if len(file.parts) > 1 and file.part_bytes < _S3_PART:
            raise BadInput("clip_part_small")
        found = self._found(self._ask("POST", clip, {"uploads": ""}).content, "UploadId")
        if not found:
            raise Unavailable("clip_store", detail=words("clip_store_answer"))
        return found[0]

    def missing(self, clip: str, upload: str, file: ClipFile) -> list[int] | None:
        there = self._listed(clip, upload)
        if there is None:  # put together, or aborted by the bucket's rules
            return [] if self._size(clip) == file.size else None
        return [n for n in range(1, len(file.parts) + 1) if there.get(n, ("", 0))[1] != file.part_size(n)]

    def address(self, clip: str, upload: str, file: ClipFile, number: int) -> str:
        return self._signed("PUT", clip, {"partNumber": str(number), "uploadId": upload}, ADDRESS_S)

    def finish(self, clip: str, upload: str, file: ClipFile) -> None:
        there = self._listed(clip, upload)
        if there is not None:
            parts = "".join(
                f"<Part><PartNumber>{n}</PartNumber><ETag>{escape(there[n][0])}</ETag></Part>" for n in sorted(there)
            )
            body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
            answer = self._ask("POST", clip, {"uploadId": upload}, body, seconds=_S3_SECONDS)
            if self._found(answer.content, "Code"):  # S3 may say 200 and then fail
                raise Unavailable("clip_store", detail=words("clip_store_answer"))
        digest, got = hashlib.sha256(), 0
        for block in self.blocks(clip):
            digest.update(block)
            got += len(block)
        if got < file.size == self._size(clip):  # the line broke
            raise Unavailable("clip_store", detail=words("clip_store_answer"))
        if (got, digest.hexdigest()) != (file.size, file.sha256):
            self.delete(clip, upload)
            raise VerificationFailed("clip_content_wrong")

    def blocks(self, clip: str) -> Iterator[bytes]:
        try:
            with requests.get(self._signed("GET", clip, {}, ADDRESS_S), timeout=_S3_SECONDS, stream=True) as answer:
                if answer.status_code == 404:
                    raise NotFound("clip_not_here", clip=clip)
                if answer.status_code != 200:
                    raise Unavailable("clip_store", detail=f"HTTP {answer.status_code}")
                yield from answer.iter_content(_BLOCK)
        except requests.RequestException as error:
            raise Unavailable("clip_store", detail=why(error)) from error

    def delete(self, clip: str, upload: str | None) -> None:
        for begun in {*self._begun(clip), *([upload] if upload else [])}:
            self._ask("DELETE", clip, {"uploadId": begun}, good=(200, 204, 404), seconds=_S3_SECONDS)
        self._ask("DELETE", clip, {}, good=(200, 204, 404), seconds=_S3_SECONDS)

    def _begun(self, clip: str) -> list[str]:
        """Every upload of the clip that was begun, also by a process that was killed before it could note it; none
        where the bucket lets nobody ask."""
        listed = self._ask("GET", "", {"uploads": "", "prefix": _key(clip)}, good=(200, 403, 501))
        return self._found(listed.content, "UploadId") if listed.status_code == 200 else []

    def _size(self, clip: str) -> int | None:
        """Of the finished file; None where there is none (403: to who may not list the bucket)."""
        answer = self._ask("HEAD", clip, {}, good=(200, 403, 404))
        return int(answer.headers.get("Content-Length", 0)) if answer.status_code == 200 else None

    def _listed(self, clip: str, upload: str) -> dict[int, tuple[str, int]] | None:
        """ETag and size of each part that is there, by number; None of an upload that is over, or never was."""
        there: dict[int, tuple[str, int]] = {}
        after = "0"
        while upload:
            asked = {"uploadId": upload, "part-number-marker": after}
            found = self._ask("GET", clip, asked, good=(200, 404))
            if found.status_code == 404:
                break
            answer = found.content
            for part in self._tree(answer).iter():
                if part.tag.rpartition("}")[2] == "Part":
                    facts = {one.tag.rpartition("}")[2]: one.text or "" for one in part}
                    there[int(facts["PartNumber"])] = (facts["ETag"], int(facts["Size"]))
            if self._found(answer, "IsTruncated") != ["true"]:
                return there
            [after] = self._found(answer, "NextPartNumberMarker")
        return None

    def _ask(
        self,
        method: str,
        clip: str,
        query: Mapping[str, str],
        body: bytes = b"",
        good: tuple[int, ...] = (200,),
        seconds: int = _S3_ASKED_S,
    ) -> requests.Response:
        try:
            address = self._signed(method, clip, query, _S3_SECONDS)
            answer = requests.request(method, address, data=body, timeout=seconds, allow_redirects=False)
        except requests.RequestException as error:
            raise Unavailable("clip_store", detail=why(error)) from error
        if answer.status_code not in good:
            raise Unavailable("clip_store", detail=f"HTTP {answer.status_code}")
        return answer

    def _signed(self, method: str, clip: str, query: Mapping[str, str], seconds: int) -> str:
        url = f"{self.url}/{quote(self.bucket)}" + (f"/{_key(clip)}" if clip else "")
        return presign(self.signing, method, url, query, datetime.fromtimestamp(clock.wall_ms() / 1000, UTC), seconds)

    @staticmethod
    def _tree(content: bytes) -> ElementTree.Element:
        try:
            return ElementTree.fromstring(content)  # noqa: S314 - the store's own answer, over our signed request
        except ElementTree.ParseError as error:
            raise Unavailable("clip_store", detail=words("clip_store_answer")) from error

    @classmethod
    def _found(cls, content: bytes, name: str) -> list[str]:
        if not content:
            return []
        return [one.text or "" for one in cls._tree(content).iter() if one.tag.rpartition("}")[2] == name]


def _key(clip: str) -> str:
    """A clip's name in the bucket."""
    return f"clips/{clip}.zip"


def own_secret(file: Path) -> bytes:
    """The key of a folder's addresses, made where there is none."""
    if not file.exists():
        write_secret(file, secrets.token_bytes(32))
    return read_secret(file, 32)


def part_number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise NotFound("page_missing")
    return int(text)
