"""NDEF (NFC Forum): from the memory of a tag to its message, from a message to the badge it names. No I/O.

Strict throughout: whatever is not beyond doubt one whole message is BadInput with `badge_data_broken`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from edge.errors import BadInput

LONGEST = 4096
"""Bytes of a message that may hold a badge."""

_BEGIN, _END, _CHUNK, _SHORT, _HAS_ID = 0x80, 0x40, 0x20, 0x10, 0x08
_WELL_KNOWN, _UNCHANGED = 1, 6
_NULL, _NDEF, _TERMINATOR = 0x00, 0x03, 0xFE
# what the first byte of a URI record stands for (NFC Forum RTD URI 1.0)
_SCHEMES = (
    *("", "http://www.", "https://www.", "http://", "https://", "tel:", "mailto:", "ftp://anonymous:anonymous@"),
    *("ftp://ftp.", "ftps://", "sftp://", "smb://", "nfs://", "ftp://", "dav://", "news:", "telnet://", "imap:"),
    *("rtsp://", "urn:", "pop:", "sip:", "sips:", "tftp:", "btspp://", "btl2cap://", "btgoep://", "tcpobex://"),
    *("irdaobex://", "file://", "urn:epc:id:", "urn:epc:tag:", "urn:epc:pat:", "urn:epc:raw:", "urn:epc:", "urn:nfc:"),
)
_BADGE = re.compile(r"[A-Z0-9]+")


def message_in(memory: bytes, size: int) -> tuple[bytes | None, bool]:
    """The NDEF message in the data area of a Type 2 tag, of which `memory` has been read and `size` bytes exist.

    (message, True); (None, True) when the tag holds none; (None, False) when more has to be read. BadInput when the
    blocks of the area do not fit into it.
    """
    at = 0
    while at < size:
        if at >= len(memory):
            return None, False
        kind = memory[at]
        if kind == _TERMINATOR:
            return None, True
        if kind == _NULL:
            at += 1
            continue
        head = 4 if memory[at + 1 : at + 2] == b"\xff" else 2
        if at + head > size:
            raise BadInput("badge_data_broken")
        if at + head > len(memory):
            return None, False
        length = memory[at + 1] if head == 2 else int.from_bytes(memory[at + 2 : at + 4], "big")
        end = at + head + length
        if end > size or (kind == _NDEF and length > LONGEST):
            raise BadInput("badge_data_broken")
        if kind == _NDEF:
            return (None, False) if end > len(memory) else (bytes(memory[at + head : end]), True)
        at = end
    return None, True


def badge_in(message: bytes, prefix: str = "") -> str | None:
    """The one badge (capital letters and digits) that the message's text and URI records name; None without any.

    With a `prefix` it is what follows it; without one a whole text, or what follows the last "/", ":" or "=" of a URI.
    BadInput: no valid message, or `badge_data_several` where records name different ones.
    """
    found = {badge for text, is_uri in _texts(message) if (badge := _badge(text, is_uri, prefix))}
    if len(found) > 1:
        raise BadInput("badge_data_several")
    return found.pop() if found else None


def _badge(text: str, is_uri: bool, prefix: str) -> str | None:
    if prefix:
        if not text.startswith(prefix):
            return None
        text = text[len(prefix) :]
    elif is_uri:
        text = re.split("[/:=]", text)[-1]
    text = text.strip(" ").upper() if text.isascii() else ""
    return text if _BADGE.fullmatch(text) else None


def _texts(message: bytes) -> Iterator[tuple[str, bool]]:
    """The words of the text (False) and URI (True) records, once the whole message has been checked."""
    found: list[tuple[str, bool]] = []
    for kind, payload in _records(message):
        try:
            if kind == b"T":
                found.append((_text(payload), False))
            elif kind == b"U":
                found.append((_SCHEMES[payload[0]] + payload[1:].decode("utf-8"), True))
        except (UnicodeDecodeError, IndexError) as error:
            raise BadInput("badge_data_broken") from error
    return iter(found)


def _text(payload: bytes) -> str:
    status = payload[0]
    words = payload[1 + (status & 0x3F) :]
    if status & 0x40 or len(payload) < 1 + (status & 0x3F):
        raise BadInput("badge_data_broken")
    return (
        words.decode("utf-16" if words[:2] in (b"\xfe\xff", b"\xff\xfe") else "utf-16-be")
        if status & 0x80
        else words.decode()
    )


def _records(message: bytes) -> list[tuple[bytes, bytes]]:
    """(type, payload) of the well-known records; the others are checked for their lengths alone."""
    found: list[tuple[bytes, bytes]] = []
    at, ended = 0, not message
    while not ended:
        flags, kind_length = message[at : at + 1], message[at + 1 : at + 2]
        short = bool(flags and flags[0] & _SHORT)
        lengths = message[at + 2 : at + 2 + (1 if short else 4)]
        at += 2 + (1 if short else 4)
        id_length = 0
        if flags and flags[0] & _HAS_ID:
            id_length = (message[at : at + 1] or b"\0")[0]
            at += 1
        if at > len(message):
            raise BadInput("badge_data_broken")
        head, tnf, first = flags[0], flags[0] & 0x07, not found
        length = int.from_bytes(lengths, "big")
        end = at + kind_length[0] + id_length + length
        ended = bool(head & _END)
        if head & _CHUNK or tnf >= _UNCHANGED or bool(head & _BEGIN) != first or end > len(message):
            raise BadInput("badge_data_broken")
        kind = message[at : at + kind_length[0]]
        found.append((kind if tnf == _WELL_KNOWN else b"", message[end - length : end]))
        at = end
    if at != len(message):
        raise BadInput("badge_data_broken")
    return found
