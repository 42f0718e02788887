"""A resident ID card reader at the far end of a pseudo-terminal, honest or faulty in each way a line can be."""

from __future__ import annotations

import os
import pty
import select
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge.domain import residentid
from edge.domain.sdt import DONE, FIND, FOUND, MAGIC, READ, SELECT, SELECTED, SdtDecoder, encode

NAME = "李小明"
NO_CARD, NOT_READ = bytes.fromhex("000080"), bytes.fromhex("000041")
ADDRESS = "北京市东城区某街某号"


def number(body: str = "11010519491231002") -> str:
    return body + residentid.check_character(body)


def block(name: str = NAME, of: str | None = None, kind: str = " ", **more: str) -> bytes:
    """The 256 bytes of text of a card."""
    of = of or number()
    sex = "1" if int(of[16]) % 2 else "2"
    fields = [(name, 30), (more.get("sex", sex), 2), ("01", 4), (more.get("birth", of[6:14]), 16), (ADDRESS, 70)]
    fields += [(of, 36), ("某公安局", 30), ("2015010120350101", 32), (" ", 28), (kind, 2), (" ", 6)]
    made = b"".join(words.encode("utf-16-le").ljust(size, b" ")[:size] for words, size in _padded(fields))
    assert len(made) == 256
    return made


def _padded(fields: list[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    for words, size in fields:
        yield words.ljust(size // 2), size


def answer(text: bytes, photo: bytes = bytes(range(256)) * 4) -> bytes:
    """The frame of a READ answer."""
    return encode(DONE + len(text).to_bytes(2, "big") + len(photo).to_bytes(2, "big") + text + photo)


class IdReader:
    """Answers what is asked with the card that lies on it; `fault` names how the line then behaves, once or always."""

    def __init__(self, master: int) -> None:
        self._master = master
        self.card: bytes | None = None
        self.fault = ""
        self.asked = 0
        self.once = False
        self.gives_once = self._given = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._stop.set()
        self._thread.join()

    def _serve(self) -> None:
        decoder = SdtDecoder()
        with suppress(OSError):
            while not self._stop.is_set():
                if not select.select([self._master], [], [], 0.02)[0]:
                    continue
                for frame in decoder.feed(os.read(self._master, 64)):
                    self._answer((frame.body[0], frame.body[1]))

    def _answer(self, what: tuple[int, int]) -> None:
        self.asked += 1
        if what == FIND:
            self._send(encode((FOUND if self.card else NO_CARD) + bytes(4)))
        elif what == SELECT:
            self._given = False
            self._send(encode((SELECTED if self.card else NO_CARD) + bytes(8)))
        elif what == READ and self.gives_once and self._given:
            self._send(encode(NOT_READ))
        elif what == READ:
            self._given = True
            self._send(answer(self.card) if self.card else encode(NOT_READ), self.fault)

    def _send(self, frame: bytes, fault: str = "") -> None:
        if fault and self.once:
            self.fault = ""
        other = answer(block("王二", number("11010519491231004")))
        if fault == "silent":
            return
        if fault == "truncated":
            frame = frame[:700]
        elif fault == "corrupted":
            frame = frame[:140] + bytes([frame[140] ^ 0x01]) + frame[141:]
        elif fault == "swapped":  # the frame's own check holds
            at = frame.index(number().encode("utf-16-le")) + 28
            frame = (
                frame[:at]
                + bytes([frame[at] ^ 7])
                + frame[at + 1 : at + 2]
                + bytes([frame[at + 2] ^ 7])
                + frame[at + 3 :]
            )
        elif fault == "interleaved":
            frame = frame[:400] + other + frame[400:]
        elif fault == "mixed":
            frame = bytes(byte for pair in zip(frame, other, strict=True) for byte in pair)
        elif fault == "two":
            frame = frame + other
        elif fault == "noise":
            frame = b"\x00\xff" + MAGIC[:3] + frame
        if fault == "slow":
            for at in range(0, len(frame), 161):
                os.write(self._master, frame[at : at + 161])
                time.sleep(0.02)
            return
        while frame:
            frame = frame[os.write(self._master, frame) :]


@contextmanager
def id_reader(link: Path) -> Iterator[IdReader]:
    """A reader whose serial port is the link `link`; unplugged at the end."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    link.unlink(missing_ok=True)
    link.symlink_to(os.ttyname(slave))
    reader = IdReader(master)
    try:
        yield reader
    finally:
        reader.end()
        link.unlink(missing_ok=True)
        os.close(slave)
        os.close(master)
