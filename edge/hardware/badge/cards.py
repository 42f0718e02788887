"""What is asked of a contactless card through a PC/SC reader, and which badge its answers are.

The reader's own commands (PC/SC part 3): FF CA gets the card's serial number (UID), FF B0 reads the memory of a Type 2
tag. A Type 4 tag is read with the commands of ISO/IEC 7816-4. All of it goes through one function, so that answers of
any kind can be tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge.domain.badges import Strength, checksum_holds
from edge.domain.ndef import LONGEST, badge_in, message_in
from edge.errors import BadInput

Transmit = Callable[[bytes], bytes]
"""A command to the card; its answer with the two status bytes. OSError when the card is gone."""

_GET_UID = bytes.fromhex("FFCA000000")
_SELECT_NDEF = bytes.fromhex("00A4040007D276000085010100")
_SELECT_FILE = bytes.fromhex("00A4000C02")
_CAPABILITIES = bytes.fromhex("E103")
_PAGES_FROM, _BLOCK = 4, 16


@dataclass(frozen=True)
class Wanted:
    """Which badges count: `content` is auto, uid or data; the rest is as in the configuration."""

    content: str = "auto"
    prefix: str = ""
    min_length: int = 4
    max_length: int = 32
    checksum: str = "none"


def read_badge(transmit: Transmit, wanted: Wanted) -> tuple[str, Strength]:
    """The card's badge and its strength. BadInput with the reason when there is none beyond doubt; OSError when the
    card is gone.
    """
    before = _ask(transmit, _GET_UID)
    badge = None
    if wanted.content != "uid":
        message = _type4(transmit)
        if message is None:
            message = _type2(transmit)
        badge = None if message is None else badge_in(message, wanted.prefix)
    if _ask(transmit, _GET_UID) != before:  # another card came while we read
        raise BadInput("badge_frame_cut")
    if badge is not None:
        _check(badge, wanted)
        if not checksum_holds(badge, wanted.checksum):
            raise BadInput("badge_checksum")
        return badge, "data"
    if wanted.content == "data":
        raise BadInput("badge_data_none")
    if not before:
        raise BadInput("badge_no_uid")
    if len(before) not in (4, 7, 8, 10):
        raise BadInput("badge_frame_broken")
    if len(before) == 4 and before[0] == 0x08:  # ISO/IEC 14443-3: made up anew at every tap, as telephones do
        raise BadInput("badge_random_uid")
    badge = before.hex().upper()
    _check(badge, wanted)
    return badge, "uid"


def _check(badge: str, wanted: Wanted) -> None:
    if len(badge) < wanted.min_length:
        raise BadInput("badge_frame_short")
    if len(badge) > wanted.max_length:
        raise BadInput("badge_frame_long")


def _ask(transmit: Transmit, command: bytes) -> bytes | None:
    """The data of the answer; None where the card (or the reader) says no."""
    answer = transmit(command)
    data = b""
    for _ in range(40):
        if len(answer) < 2:
            raise BadInput("badge_frame_broken")
        data, one, two = data + answer[:-2], answer[-2], answer[-1]
        if one == 0x61:  # there is more of it (protocol T=0)
            answer = transmit(bytes([0x00, 0xC0, 0x00, 0x00, two]))
        elif one == 0x6C and len(command) == 5:  # the right length is this one
            command = command[:4] + bytes([two])
            answer = transmit(command)
            if answer[-2:-1] == b"\x6c":
                return None
        else:
            return data if (one, two) == (0x90, 0x00) else None
    raise BadInput("badge_frame_broken")


def _type4(transmit: Transmit) -> bytes | None:
    """The message of a Type 4 tag; None when the card is none, or empty."""
    if _ask(transmit, _SELECT_NDEF) is None:
        return None
    facts = _file(transmit, _CAPABILITIES, 0, 15, 15)
    longest_answer = int.from_bytes(facts[3:5], "big")
    size = int.from_bytes(facts[11:13], "big")
    if facts[7:9] != b"\x04\x06" or facts[13] != 0 or longest_answer < 1:  # another kind of file, or locked
        raise BadInput("badge_data_broken")
    at_once = min(longest_answer, 255)
    length = int.from_bytes(_file(transmit, facts[9:11], 0, 2, at_once), "big")
    if length + 2 > size or length > LONGEST:
        raise BadInput("badge_data_broken")
    return _read(transmit, 2, length, at_once) if length else None


def _file(transmit: Transmit, name: bytes, offset: int, length: int, at_once: int) -> bytes:
    if _ask(transmit, _SELECT_FILE + name) is None:
        raise BadInput("badge_data_broken")
    return _read(transmit, offset, length, at_once)


def _read(transmit: Transmit, offset: int, length: int, at_once: int) -> bytes:
    data = b""
    while len(data) < length:
        want = min(at_once, length - len(data))
        got = _ask(transmit, bytes([0x00, 0xB0, *(offset + len(data)).to_bytes(2, "big"), want]))
        if not got or len(got) > want:
            raise BadInput("badge_data_broken")
        data += got
    return data


def _type2(transmit: Transmit) -> bytes | None:
    """The message of a Type 2 tag; None when the card is none, not formatted, or empty."""
    head = _ask(transmit, bytes([0xFF, 0xB0, 0x00, 3, _BLOCK]))
    if head is None or len(head) != _BLOCK or head[0] != 0xE1 or head[1] >> 4 != 1:
        return None
    if head[3] >> 4:  # reading is not free
        raise BadInput("badge_data_broken")
    size = head[2] * 8
    memory = head[4:]
    while True:
        message, known = message_in(memory, size)
        if known:
            return message or None
        page = _PAGES_FROM + len(memory) // 4
        block = _ask(transmit, bytes([0xFF, 0xB0, page >> 8, page & 0xFF, _BLOCK]))
        if block is None or len(block) != _BLOCK:
            raise BadInput("badge_data_broken")
        memory += block
