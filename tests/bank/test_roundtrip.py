"""What is exported imports to the same items, for any bank there can be and for the whole sample."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from edge.bank.build import content_of, sample_bank
from edge.bank.imports import Imported, Wishes, import_files, write_bank
from edge.bank.items import Bilingual
from edge.bank.model import BankDocument, Media, MediaFile, parse_bank
from edge.bank.qti.write import package_of
from edge.bank.transfer import export
from edge.bank.xlsx.write import workbook_of
from edge.errors import BadInput, Conflict
from support.banks import MEDIA, PLAIN, banks
from support.examples import examples

NO_SHRINK = [Phase.explicit, Phase.reuse, Phase.generate]  # a bank takes minutes to shrink and says enough as it is


def quiet(_label: str):  # type: ignore[no-untyped-def]
    return lambda _done, _all: None


def taken(done: Imported) -> BankDocument:
    assert done.bank is not None, [f"{p.where} {p.item} {p.sentence('en')}" for p in done.problems]
    assert not done.warnings, "our own packages say all that we mean"
    return done.bank


@settings(max_examples=examples(40), deadline=None, phases=NO_SHRINK, suppress_health_check=list(HealthCheck))
@given(bank=banks())
def test_any_bank_comes_back_from_qti(tmp_path_factory: pytest.TempPathFactory, bank: BankDocument) -> None:
    file = tmp_path_factory.mktemp("qti") / "bank.zip"
    file.write_bytes(package_of(bank, quiet("")))
    assert taken(import_files([file], Wishes(), quiet)) == bank


def in_column_order(bank: BankDocument) -> BankDocument:
    """Options and left sides in the order of their keys, no space at a question's end: what a sheet can say."""
    document = json.loads(content_of(bank))
    for item in document["items"]:
        for one in (item, *item.get("items", [])):
            one["stem"] = one["stem"].strip()
            for name in ("options", "left"):
                if name in one:
                    one[name].sort(key=lambda part: part["key"])
    return BankDocument.model_validate(document)


@settings(max_examples=examples(15), deadline=None, phases=NO_SHRINK, suppress_health_check=list(HealthCheck))
@given(bank=banks(PLAIN).map(in_column_order))
def test_any_plain_bank_comes_back_from_a_workbook(
    tmp_path_factory: pytest.TempPathFactory, bank: BankDocument
) -> None:
    folder = tmp_path_factory.mktemp("xlsx")
    file = folder / "bank.xlsx"
    file.write_bytes(workbook_of(bank))
    media = folder / "media"
    media.mkdir()
    for name, one in bank.media.items():
        (media / name).write_bytes(one.content())
    done = taken(import_files([file], Wishes(media=media), quiet))
    assert {item.id: item for item in done.items} == {item.id: item for item in bank.items}
    assert (done.bank, done.title, done.sample) == (bank.bank, bank.title, bank.sample)


def test_the_whole_sample_comes_back(tmp_path: Path) -> None:
    bank = sample_bank()
    (package,) = export(bank, tmp_path / "sample.zip", False, False)
    assert taken(import_files([package], Wishes(), quiet)) == bank
    book, media = export(bank, tmp_path / "sample.xlsx", True, False)
    done = taken(import_files([book], Wishes(media=media), quiet))
    assert {item.id: item for item in done.items} == {item.id: item for item in bank.items}


def test_a_folder_of_loose_files_is_the_same_package(tmp_path: Path) -> None:
    bank = sample_bank()
    with zipfile.ZipFile(io.BytesIO(package_of(bank, quiet("")))) as archive:
        archive.extractall(tmp_path / "loose")
        archive.extractall(tmp_path / "deep" / "inner")
    assert taken(import_files([tmp_path / "loose"], Wishes(), quiet)) == bank
    assert taken(import_files([tmp_path / "deep"], Wishes(), quiet)) == bank


def test_one_bank_one_package() -> None:
    bank = sample_bank()
    assert package_of(bank, quiet("")) == package_of(bank, quiet(""))


def test_written_json_reads_back(tmp_path: Path) -> None:
    bank = sample_bank()
    file = write_bank(bank, tmp_path / "new" / "bank.json", replace=False)
    assert parse_bank(file.read_bytes()) == bank
    assert write_bank(bank, tmp_path / "folder", replace=False).name == "items.json"
    before = file.read_bytes()
    with pytest.raises(Conflict):
        write_bank(bank, file, replace=False)
    assert file.read_bytes() == before
    assert [entry.name for entry in file.parent.iterdir()] == ["bank.json"]


def test_what_a_format_cannot_hold_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    document = json.loads(content_of(sample_bank()))
    document["items"] = document["items"][:2]
    document |= {"blueprints": [], "media": {}}
    for sign in ("\x07", "\ufffe"):
        document["items"][1]["stem"] = f"bell {sign}"
        bank = BankDocument.model_validate(document)
        for name in ("bank.zip", "bank.xlsx"):
            with pytest.raises(BadInput) as refused:
                export(bank, tmp_path / name, name.endswith("xlsx"), False)
            assert refused.value.code in ("bank_not_xml", "bank_not_sheet")
            assert refused.value.facts["item"] == document["items"][1]["id"]
    named = bank.model_copy(update={"items": bank.items[:1], "title": Bilingual(zh="题库 \ufffe")})
    with pytest.raises(BadInput):
        export(named, tmp_path / "bank.xlsx", True, False)
    document["items"][1]["stem"] = " spaces at both ends "
    bank = BankDocument.model_validate(document)
    assert export(bank, tmp_path / "bank.zip", False, False)
    with pytest.raises(BadInput) as refused:
        export(bank, tmp_path / "bank.xlsx", True, False)
    assert refused.value.code == "bank_export_differs"
    assert document["items"][1]["id"] in str(refused.value.facts["items"])
    assert [entry.name for entry in tmp_path.iterdir()] == ["bank.zip"]


@pytest.mark.long
def test_a_bank_of_many_items_comes_back(tmp_path: Path) -> None:
    """Its manifest alone is larger than any one item may be."""
    one = next(item for item in sample_bank().items if item.type == "single")
    items = [one.model_copy(update={"id": f"N{number}", "posts": ["架子工" * 60]}) for number in range(6000)]
    bank = sample_bank().model_copy(update={"items": items, "blueprints": []})
    package = package_of(bank, quiet(""))
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        assert archive.getinfo("imsmanifest.xml").file_size > 5_000_000
    (tmp_path / "many.zip").write_bytes(package)
    assert taken(import_files([tmp_path / "many.zip"], Wishes(), quiet)) == bank


def test_what_an_export_does_not_keep_is_said(tmp_path: Path) -> None:
    """Not the items alone: title, and what a file of its own is."""
    bank = sample_bank()
    renamed = bank.model_copy(update={"title": bank.title.model_copy(update={"zh": "题库 "})})
    media = dict(bank.media)
    sound = MediaFile(type="audio/mp4", data=base64.b64encode(MEDIA["m4a-by-another.name"][1]).decode())
    media["tone"] = sound
    shown = bank.items[0].model_copy(update={"media": [Media(name="tone", alt="声音")]})
    heard = bank.model_copy(update={"items": [shown, *bank.items[1:]], "media": media})
    for number, (made, detail) in enumerate(((renamed, "title"), (heard, "media"))):
        with pytest.raises(BadInput) as differs:
            export(made, tmp_path / f"{number}.xlsx", True, False)
        assert (differs.value.code, differs.value.facts["detail"]) == ("bank_export_differs", detail)
