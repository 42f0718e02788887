"""Base45 (RFC 9285): bytes as the characters that a QR code packs best, one text for one value."""

from __future__ import annotations

from edge.errors import BadInput

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


def encode(data: bytes) -> str:
    out: list[str] = []
    for at in range(0, len(data), 2):
        pair = data[at : at + 2]
        number = int.from_bytes(pair, "big")
        for _ in range(len(pair) + 1):
            number, digit = divmod(number, 45)
            out.append(_ALPHABET[digit])
    return "".join(out)


def decode(text: str) -> bytes:
    """BadInput (`base45_broken`) for a text that `encode` never gives."""
    out = bytearray()
    for at in range(0, len(text), 3):
        digits = [_ALPHABET.find(character) for character in text[at : at + 3]]
        number = sum(digit * 45**place for place, digit in enumerate(digits))
        size = len(digits) - 1
        if min(digits) < 0 or not size or number >= 1 << 8 * size:
            raise BadInput("base45_broken")
        out += number.to_bytes(size, "big")
    return bytes(out)
