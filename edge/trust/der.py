"""DER (X.690) as RFC 3161 needs it: reading in the one spelling that DER allows, and writing a few values."""

from __future__ import annotations

from dataclasses import dataclass

INTEGER, OCTETS, NULL, OID, SEQUENCE, SET = 0x02, 0x04, 0x05, 0x06, 0x30, 0x31
TIME = 0x18
_MOST = 1 << 24


@dataclass(frozen=True)
class Node:
    """One value: its tag byte, its content, and all of its bytes as they stand."""

    tag: int
    content: bytes
    raw: bytes

    def parts(self) -> list[Node]:
        """The values inside. ValueError where the content is none."""
        found: list[Node] = []
        at = 0
        while at < len(self.content):
            node = _read(self.content, at)
            found.append(node)
            at += len(node.raw)
        return found

    def need(self, tag: int) -> Node:
        """Itself, or ValueError where it is of another tag."""
        if self.tag != tag:
            raise ValueError("another tag")
        return self

    def number(self) -> int:
        if self.tag != INTEGER or not self.content:
            raise ValueError("no integer")
        return int.from_bytes(self.content, "big", signed=True)


def read(data: bytes) -> Node:
    """The one value that `data` is. ValueError for anything else, indefinite lengths and long tags among it."""
    node = _read(data, 0)
    if len(node.raw) != len(data):
        raise ValueError("something behind the value")
    return node


def _read(data: bytes, at: int) -> Node:
    head = data[at : at + 2]
    if len(head) < 2 or head[0] & 0x1F == 0x1F:
        raise ValueError("no value")
    length, start = head[1], at + 2
    if length & 0x80:
        count = length & 0x7F
        digits = data[start : start + count]
        length, start = int.from_bytes(digits, "big"), start + count
        if not 1 <= count <= 4 or len(digits) != count or digits[0] == 0 or length < 0x80:
            raise ValueError("a length as DER does not write it")
    end = start + length
    if end > len(data) or length > _MOST:
        raise ValueError("cut short")
    return Node(head[0], data[start:end], data[at:end])


def value(tag: int, *parts: bytes) -> bytes:
    """The bytes of a value whose content is `parts`, one after another."""
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    digits = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(digits)]) + digits + content


def integer(number: int) -> bytes:
    return value(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def oid(dotted: str) -> bytes:
    """The content bytes of an object identifier, to be compared with or put into a value of tag OID."""
    first, second, *rest = map(int, dotted.split("."))
    out = bytearray()
    for number in (first * 40 + second, *rest):
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.append(0x80 | number & 0x7F)
        out += bytes(reversed(digits))
    return bytes(out)
