"""Databases as pages and patches: what is read of a commit, applied elsewhere, is the database."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.store.db import connect
from edge.store.pages import Image, apply
from edge.store.wal import Wal

PAGE = 4096


def page(seed: int) -> bytes:
    return random.Random(seed).randbytes(PAGE)


@given(st.lists(st.dictionaries(st.integers(1, 8), st.integers(0, 5), max_size=4), max_size=8), st.integers(1, 8))
def test_patches_make_the_same_pages(commits: list[dict[int, int]], last: int) -> None:
    image, made, pages = Image(PAGE), bytearray(), list[bytes]()
    for n, commit in enumerate(commits):
        count = last if n == len(commits) - 1 else max([len(pages), *commit])  # the last one may cut pages off
        changed = {number: page(seed) for number, seed in commit.items()}
        pages = (pages + [bytes(PAGE)] * count)[:count]
        for number, new in changed.items():
            if number <= count:
                pages[number - 1] = new
        if patch := image.change(changed, count):
            apply(made, patch)
        assert bytes(made) == b"".join(pages) == b"".join(image.pages)
    again = bytearray()
    for patch in image.slices():
        apply(again, patch)
    assert again == made


def test_what_is_taken_of_the_log_is_the_database(tmp_path: Path) -> None:
    writer = connect(tmp_path / "one.db")
    writer.execute("PRAGMA wal_autocheckpoint = 20")  # the log begins again and again
    writer.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, x BLOB)")
    wal, image, made = Wal(tmp_path / "one.db", PAGE), Image(PAGE), bytearray()
    wal.skip()
    apply(made, image.differ(writer.serialize()))
    chance, commits = random.Random(3), 0
    for _ in range(300):
        writer.execute("BEGIN")
        for _ in range(chance.randint(0, 4)):
            writer.execute("INSERT INTO t (x) VALUES (?)", (chance.randbytes(chance.randint(1, 3000)),))
        if chance.random() < 0.2:
            writer.execute("DELETE FROM t WHERE n % 3 = ?", (chance.randint(0, 2),))
        if chance.random() < 0.1:
            writer.execute("ROLLBACK")
            assert wal.take() == ({}, 0)
            continue
        writer.execute("COMMIT")
        changed, count = wal.take()
        if changed:
            commits += 1
            apply(made, image.change(changed, count))
        assert bytes(made) == writer.serialize()
    assert commits > 200
    wal.close()
    writer.close()


def test_a_patch_outside_of_its_database_is_refused() -> None:
    image = Image(PAGE)
    patch = bytearray(image.change({1: page(1)}, 1))
    patch[8:12] = (7).to_bytes(4, "big")  # the number of the page it is for
    with pytest.raises(ValueError, match="outside"):
        apply(bytearray(), bytes(patch))
    with pytest.raises(ValueError, match="requires"):
        apply(bytearray(), b"\x10")
