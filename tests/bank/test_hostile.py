"""Files that are not what they claim: one clear refusal, no bank, nothing written."""

from __future__ import annotations

import io
import random
import re
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.bank.build import sample_bank
from edge.bank.imports import Wishes, import_files
from edge.bank.media import fault_of
from edge.bank.qti.write import package_of
from edge.bank.xlsx.write import template, workbook_of
from edge.cli import main
from edge.errors import ExamroomError
from support.examples import examples

BANK = sample_bank()
PACKAGE = package_of(BANK, lambda _done, _all: None)
SMALL = BANK.model_copy(update={"items": BANK.items[:4], "blueprints": [], "rubrics": [], "media": {}})
BOOK = workbook_of(SMALL)
QUIET = lambda _label: lambda _done, _all: None  # noqa: E731


def refused(folder: Path, name: str, content: bytes) -> None:
    """Neither a bank nor any exception but ours."""
    file = folder / name
    file.write_bytes(content)
    try:
        done = import_files([file], Wishes(name="x", title={"zh": "x"}), QUIET)
    except ExamroomError as error:
        assert not re.search(r"\{\w+\}", error.sentence("zh") + error.sentence("en"))
        return
    assert done.bank is None and done.problems
    assert not any(re.search(r"\{\w+\}", problem.sentence("zh")) for problem in done.problems)


@settings(max_examples=examples(150), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    content=st.one_of(st.binary(max_size=300), st.binary(max_size=100).map(lambda raw: b"PK\3\4" + raw)),
    name=st.sampled_from(["a.zip", "a.xml", "a.xlsx", "a.json", "a"]),
)
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str) -> None:
    refused(tmp_path_factory.mktemp("any"), name, content)


@pytest.mark.parametrize("name, whole", [("a.zip", PACKAGE), ("a.xlsx", BOOK)])
def test_cut_short_anywhere(tmp_path: Path, name: str, whole: bytes) -> None:
    for cut in [*range(0, 64, 7), *random.Random(1).sample(range(64, len(whole) - 1), 25)]:
        refused(tmp_path, name, whole[:cut])


@pytest.mark.parametrize("name, whole", [("a.zip", PACKAGE), ("a.xlsx", BOOK)])
def test_changed_anywhere_is_refused_or_harmless(tmp_path: Path, name: str, whole: bytes) -> None:
    """A changed byte is found by the archive, or stands where nothing is read (a date, say)."""
    bank = BANK if name == "a.zip" else SMALL
    chance = random.Random(2)
    for _ in range(25):
        broken = bytearray(whole)
        broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
        file = tmp_path / name
        file.write_bytes(bytes(broken))
        try:
            done = import_files([file], Wishes(), QUIET)
        except ExamroomError:
            continue
        if done.bank is not None:
            assert {i.id: i for i in done.bank.items} == {i.id: i for i in bank.items}


def packed(change: Callable[[zipfile.ZipFile], None]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("imsmanifest.xml", "<manifest><resources/></manifest>")
        change(archive)
    return buffer.getvalue()


def link(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(info, "/etc/passwd")


@pytest.mark.parametrize(
    "change",
    [
        lambda archive: archive.writestr("../out.xml", "x"),
        lambda archive: archive.writestr("/abs.xml", "x"),
        lambda archive: archive.writestr("C:/abs.xml", "x"),
        lambda archive: archive.writestr("zeros", b"\0" * 5_000_000),
        link,
    ],
)
def test_unsafe_packages(tmp_path: Path, change: Callable[[zipfile.ZipFile], None]) -> None:
    file = tmp_path / "a.zip"
    file.write_bytes(packed(change))
    with pytest.raises(ExamroomError) as error:
        import_files([file], Wishes(), QUIET)
    assert error.value.code == "bank_unsafe"


LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY a1 "&a;&a;&a;"><!ENTITY a2 "&a1;&a1;&a1;">]>'
BOMBS = {
    "entities": LAUGHS + "<assessmentItem>&a2;</assessmentItem>",
    "outside": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><assessmentItem>&e;</assessmentItem>',
    "dtd": '<!DOCTYPE x SYSTEM "http://example.org/x.dtd"><assessmentItem/>',
    "deep": "<a>" * 100_000,
    "undefined": '<assessmentItem xmlns="http://www.imsglobal.org/xsd/imsqti_v2p1">&nbsp;</assessmentItem>',
}


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_xml_bombs(tmp_path: Path, name: str, encoding: str) -> None:
    refused(tmp_path, "a.xml", BOMBS[name].encode(encoding))


def test_media_that_is_not_what_it_claims() -> None:
    assert fault_of(b"MZ\x90") == "bank_media_kind"
    assert fault_of(b"") == "bank_media_empty"
    assert fault_of(b"\x89PNG\r\n\x1a\n", "image/jpeg") == "bank_media_type"
    for inside in ("<script>1</script>", '<a href="http://e"/>', '<g onload="x"/>', "<style>@import 'x'</style>"):
        assert fault_of(f'<svg xmlns="http://www.w3.org/2000/svg">{inside}</svg>'.encode()) == "bank_media_active"
    assert fault_of(b'<svg xmlns="http://www.w3.org/2000/svg"><use href="#a"/></svg>') is None


def test_the_command_leaves_an_existing_bank_alone(tmp_path: Path) -> None:
    out = tmp_path / "bank.json"
    out.write_text("before")
    runner = CliRunner()
    for name, content, code in (
        ("broken.zip", PACKAGE[:1000], 2),
        ("empty.xlsx", template(), 2),
        ("text.xml", b"hello", 2),
    ):
        file = tmp_path / name
        file.write_bytes(content)
        result = runner.invoke(main, ["bank", "import", str(file), "--out", str(out), "--replace"])
        assert result.exit_code == code, result.output
        assert out.read_text() == "before"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["bank.json", "broken.zip", "empty.xlsx", "text.xml"]
