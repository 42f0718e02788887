"""Frames of resident ID card readers (SDT, GA 450 security modules): bytes in, frames out; text blocks into a name and
a number. No I/O.

A frame is AA AA AA 96 69, two bytes of length (most significant first) that count all that follows them, as many bytes,
of which the last is the exclusive-or of everything from the length on. To the reader the first two are command and
parameter; from it the first three are its status.

The rule is that of the other readers: a wrong identity is worse than none. Besides the frame's check the number has its
own (GB 11643), and has to agree with the date of birth and the sex beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from functools import reduce
from operator import xor

from edge.domain import residentid
from edge.domain.idcard import IdCard
from edge.errors import BadInput

MAGIC = bytes.fromhex("AAAAAA9669")
LONGEST = 4096
"""The length of the longest answer is that of text, photograph and fingerprints, below 2,500."""

FIND, SELECT, READ = (0x20, 0x01), (0x20, 0x02), (0x30, 0x01)
FOUND, SELECTED = bytes.fromhex("00009F"), bytes.fromhex("000090")
DONE = SELECTED
TEXT_BYTES = 256
_HEAD = len(MAGIC) + 2
# name, sex, nation, birth, address, number, authority, validity: where each ends in a text block
_NAME, _SEX, _BIRTH, _NUMBER = slice(0, 30), slice(30, 32), slice(36, 52), slice(122, 158)
_KIND = slice(248, 250)
"""What kind of card: blank for a citizen's, J for a residence permit of Hong Kong, Macao and Taiwan, I or another
letter for a foreigner's. Since 2023 a foreigner's may be laid out like a citizen's: its number begins with 9, as no
region's does."""
_READ = frozenset(letter.encode("utf-16-le") for letter in " \0J")
_FOREIGN = "9".encode("utf-16-le")


@dataclass(frozen=True)
class Frame:
    """A whole frame with its check right: what stands between its length and its check."""

    body: bytes = field(repr=False)

    @property
    def status(self) -> bytes:
        return self.body[:3]

    @property
    def data(self) -> bytes:
        return self.body[3:]


def encode(body: bytes) -> bytes:
    """The frame of `body`: command, parameter and data, or status and data."""
    counted = (len(body) + 1).to_bytes(2, "big") + body
    return MAGIC + counted + bytes([_check(counted)])


def command(what: tuple[int, int]) -> bytes:
    return encode(bytes(what))


class SdtDecoder:
    """Bytes of the line into frames. What is no frame is passed over, byte by byte, so that a frame behind rubbish,
    behind half a frame or inside a damaged one is found all the same."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    @property
    def busy(self) -> bool:
        """A frame may have begun."""
        return bool(self._bytes)

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes, in order."""
        self._bytes += data
        found: list[Frame] = []
        while self._to_magic():
            if len(self._bytes) < _HEAD:
                break
            length = int.from_bytes(self._bytes[len(MAGIC) : _HEAD], "big")
            end = _HEAD + length
            if not 3 <= length <= LONGEST:
                self._pass_over(1)
            elif len(self._bytes) < end:
                break
            elif _check(self._bytes[len(MAGIC) : end - 1]) != self._bytes[end - 1]:
                self._pass_over(1)
            else:
                found.append(Frame(bytes(self._bytes[_HEAD : end - 1])))
                self._pass_over(end)
        return found

    def reset(self) -> None:
        """Forget what has begun: it will not be completed."""
        self._pass_over(len(self._bytes))

    def _to_magic(self) -> bool:
        """Drop what stands before the next mark, or before what may become one; whether anything is left."""
        at = self._bytes.find(MAGIC)
        if at < 0:
            kept = next((size for size in range(len(MAGIC) - 1, 0, -1) if self._bytes.endswith(MAGIC[:size])), 0)
            self._pass_over(len(self._bytes) - kept)
            return False
        self._pass_over(at)
        return True

    def _pass_over(self, count: int) -> None:
        self._bytes[:count] = bytes(count)  # a card's address and photograph do not stay about
        del self._bytes[:count]


def card_in(data: bytes) -> IdCard:
    """The name and number in the data of a READ answer: two bytes each of the text's and photograph's lengths, the
    text, the photograph. BadInput (`idcard_broken`, or `idcard_foreign` for a foreigner's card) otherwise.
    """
    text_length, photo_length = int.from_bytes(data[:2], "big"), int.from_bytes(data[2:4], "big")
    if text_length != TEXT_BYTES or len(data) != 4 + text_length + photo_length:
        raise BadInput("idcard_broken")
    block = data[4 : 4 + TEXT_BYTES]
    if block[_KIND] not in _READ or block[_NUMBER].startswith(_FOREIGN):
        raise BadInput("idcard_foreign")
    name, number = _words(block[_NAME]), _words(block[_NUMBER])
    if not name or any(character.isspace() and character != " " for character in name):
        raise BadInput("idcard_broken")
    if not residentid.holds(number):
        raise BadInput("idcard_broken")
    if _words(block[_BIRTH]) != number[6:14] or not _is_day(number[6:14]):
        raise BadInput("idcard_broken")
    if _words(block[_SEX]) != ("1" if int(number[16]) % 2 else "2"):
        raise BadInput("idcard_broken")
    return IdCard(name, number)


def _words(field_bytes: bytes) -> str:
    try:
        words = field_bytes.decode("utf-16-le").rstrip(" \0")
    except UnicodeDecodeError as error:
        raise BadInput("idcard_broken") from error
    if not words.isprintable():
        raise BadInput("idcard_broken")
    return words


def _is_day(digits: str) -> bool:
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return True


def _check(counted: bytes | bytearray) -> int:
    return reduce(xor, counted, 0)
