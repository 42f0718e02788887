"""The container: any ZIP tool reads it, and it has one byte form."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import BadInput
from edge.trust import container
from edge.trust.container import ContainerWriter, read_blocks, read_directory
from support.examples import examples

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,20}", fullmatch=True)
CONTENTS = st.dictionaries(NAMES, st.binary(max_size=300), min_size=1, max_size=6)


def pack(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    writer = ContainerWriter(file)
    for name, content in members.items():
        writer.add(name, [content[:7], content[7:]])
    writer.finish()
    return file.getvalue()


@given(CONTENTS)
def test_what_is_written_is_read_here_and_by_others(members: dict[str, bytes]) -> None:
    data = pack(members)
    found = read_directory(io.BytesIO(data))
    assert {m.name: data[m.start : m.end] for m in found} == members
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == members


def test_every_changed_header_byte_is_found() -> None:
    data = pack({"a.txt": b"first", "b/c.bin": b"", "z": b"last one"})
    contents = {at for m in read_directory(io.BytesIO(data)) for at in range(m.start, m.end)}
    for at in set(range(len(data))) - contents:
        for flip in (1, 0x20, 0x80, 0xFF):
            altered = bytearray(data)
            altered[at] ^= flip
            with pytest.raises(BadInput) as caught:
                read_directory(io.BytesIO(bytes(altered)))
            assert caught.value.code in ("container_altered", "container_cut")


def test_every_shorter_or_longer_file_is_found() -> None:
    data = pack({"a.txt": b"first", "z": b"last one"})
    for length in range(len(data)):
        with pytest.raises(BadInput) as caught:
            read_directory(io.BytesIO(data[:length]))
        assert caught.value.code == "container_cut"
    with pytest.raises(BadInput):
        read_directory(io.BytesIO(data + b"\0"))


@settings(max_examples=examples(300))
@given(st.binary(max_size=400) | st.binary(max_size=200).map(lambda tail: b"PK\x03\x04" + tail))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        read_directory(io.BytesIO(data))


def test_a_zip_by_another_tool_is_not_canonical() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", b"first")
    with pytest.raises(BadInput):
        read_directory(file)


@pytest.mark.parametrize("name", ["", "../up", "/root", "a b", "名", "a" * 201, ".hidden"])
def test_odd_names_are_not_written(name: str) -> None:
    with pytest.raises(ValueError, match="not a member name"):
        ContainerWriter(io.BytesIO()).add(name, [b""])


def test_a_name_is_not_written_twice() -> None:
    writer = ContainerWriter(io.BytesIO())
    writer.add("a", [b""])
    with pytest.raises(ValueError, match="twice"):
        writer.add("a", [b""])


def test_four_gigabytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_BYTES", 5000)
    with pytest.raises(BadInput) as caught:
        ContainerWriter(io.BytesIO()).add("a", [bytes(4000), bytes(2000)])
    assert caught.value.code == "container_too_large"


def test_contents_are_streamed_both_ways(tmp_path: Path) -> None:
    path = tmp_path / "large.zip"

    def chunks() -> Iterator[bytes]:
        for number in range(64):
            yield bytes([number]) * (1 << 20)

    tracemalloc.start()
    try:
        with path.open("wb") as file:
            writer = ContainerWriter(file)
            writer.add("large", chunks())
            writer.finish()
        with path.open("rb") as file:
            (member,) = read_directory(file)
            assert sum(len(block) for block in read_blocks(file, member.start, member.size)) == 64 << 20
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
