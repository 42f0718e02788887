"""The log that power cuts of a virtual machine are made from."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from support.logwrites import DISCARD, FLUSH, MAGIC, entries, replay, unflushed


def entry(sector: int, data: bytes = b"", flags: int = 0, sectors: int | None = None) -> bytes:
    head = struct.pack("<4Q", sector, len(data) // 512 if sectors is None else sectors, flags, 0)
    return head.ljust(512, b"\0") + data


def test_what_was_not_flushed_is_not_on_the_disk(tmp_path: Path) -> None:
    one, two, late = (bytes([n]) * 512 for n in (1, 2, 3))
    said = [entry(0, one), entry(3, two * 2), entry(0, flags=FLUSH), entry(4, sectors=1, flags=DISCARD)]
    said += [entry(0, flags=FLUSH), entry(1, late), entry(2, late)]
    log, disk = tmp_path / "log", tmp_path / "disk"
    for count, cut in ((5, 0), (7, 0), (5, 100)):  # QEMU counts up to the last flush; killed in the midst of the last
        head = struct.pack("<3QI", MAGIC, 1, count, 512).ljust(512, b"\0")
        content = head + b"".join(said)
        log.write_bytes(content[: len(content) - cut])
        disk.write_bytes(b"\xee" * 512 * 6)
        left_out = replay(log, disk)
        old = b"\xee" * 512
        assert disk.read_bytes() == one + old + old + two + bytes(512) + old
        assert left_out == (1 if cut else 2)
        assert unflushed(log) == (512 * 9, left_out) == unflushed(log, 512 * 6)


def test_another_file_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(bytes(512))
    with (tmp_path / "log").open("rb") as file, pytest.raises(ValueError, match="not a log"):
        list(entries(file))
