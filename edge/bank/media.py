"""Pictures, sounds and films on their way into a bank: what they really are, and one name each."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from edge.bank.problems import Fault

LIMIT = 8_000_000
EXTENSIONS = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/svg+xml": ".svg",
    "audio/mpeg": ".mp3",
    "audio/mp4": ".m4a",
    "video/mp4": ".mp4",
    "video/webm": ".webm",
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# what an SVG may not bring along: script, or anything fetched from outside
_SVG_ACTIVE = re.compile(
    rb"<\s*(?:\w+:)?(?:script|foreignObject|iframe|object|embed)\b|\son\w+\s*=|<!DOCTYPE|<!ENTITY|<\?xml-stylesheet"
    rb"|href\s*=\s*[\"']\s*(?!#|data:image/)|url\(\s*[\"']?\s*(?!#)|@import",
    re.IGNORECASE,
)


def kind_of(content: bytes) -> str | None:
    """The MIME type by the bytes themselves; None for what a tablet's browser cannot be trusted to show."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content[4:8] == b"ftyp":
        return "audio/mp4" if content[8:12] in (b"M4A ", b"M4B ") else "video/mp4"
    if content.startswith(b"\x1aE\xdf\xa3"):
        return "video/webm"
    if content.startswith(b"ID3") or (len(content) > 1 and content[0] == 0xFF and content[1] & 0xE6 == 0xE2):
        return "audio/mpeg"
    head = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"<svg") or (head.startswith(b"<") and b"<svg" in head):
        return "image/svg+xml"
    return None


def fault_of(content: bytes, declared: str | None = None) -> str | None:
    """The reason code of what is wrong with a file, or None."""
    if not content:
        return "bank_media_empty"
    if len(content) > LIMIT:
        return "bank_media_large"
    kind = kind_of(content)
    if kind is None:
        return "bank_media_kind"
    # an MP4 file may hold sound alone, and its first bytes do not always say so
    alike = {kind, "audio/mp4", "video/mp4"} if kind in ("audio/mp4", "video/mp4") else {kind}
    if declared is not None and declared not in alike:
        return "bank_media_type"
    if kind == "image/svg+xml" and _SVG_ACTIVE.search(content):
        return "bank_media_active"
    return None


@dataclass
class MediaPool:
    """A bank's media while it is put together: one content, one name, whatever the packages call it."""

    files: dict[str, dict[str, str]] = field(default_factory=dict)
    _names: dict[tuple[bytes, str], str] = field(default_factory=dict)

    def add(self, path: str, content: bytes, declared: str | None = None, name: str | None = None) -> str:
        """The name under which the bank has `content`; `name` is the one wished for. Fault when it cannot be shown."""
        if code := fault_of(content, declared):
            raise Fault(code, file=path, most=LIMIT // 1_000_000, detail=declared or "-")
        kind = declared or kind_of(content) or ""
        if declared is None and kind == "video/mp4" and path.lower().endswith(".m4a"):
            kind = "audio/mp4"
        digest = hashlib.sha256(content).digest()
        wished = name or PurePosixPath(path).name
        if not _NAME.fullmatch(wished):
            wished = f"m-{digest.hex()[:16]}{EXTENSIONS[kind]}"
        if (known := self._names.get((digest, wished))) is not None:
            return known
        if wished in self.files:
            stem, dot, end = wished.rpartition(".")
            wished = f"{(stem or end)[:40]}-{digest.hex()[:12]}{dot}{end if stem else ''}"[:64]
        self._names[(digest, wished)] = wished
        self.files[wished] = {"type": kind, "data": base64.b64encode(content).decode()}
        return wished

    def type_of(self, name: str) -> str:
        return self.files[name]["type"]


def size_of(content: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG or JPEG picture in pixels; None for others."""
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:
        return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    if content.startswith(b"\xff\xd8"):
        at = 2
        while at + 9 < len(content) and content[at] == 0xFF:
            marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
            if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a start of frame
                return int.from_bytes(content[at + 7 : at + 9], "big"), int.from_bytes(content[at + 5 : at + 7], "big")
            at += 2 + max(length, 2)
    return None
