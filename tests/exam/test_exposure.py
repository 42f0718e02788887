"""The room's own use of its items, counted from stored papers and added to the bank's own counts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edge.bank.build import content_of, sample_bank
from edge.bank.exposure import ExposureFile, with_exposure
from edge.bank.model import parse_bank
from edge.cli import main
from edge.config import to_toml
from edge.exam import conduct
from edge.exam.banks import open_bank
from edge.store import sessions
from support.rooms import DeskRoom, make_desk_room

REAL = "UPDATE sessions SET policy = json_set(policy, '$.practice', json('false'))"


@pytest.fixture
def desk(tmp_path: Path) -> DeskRoom:
    desk = make_desk_room(tmp_path, size=4)
    (tmp_path / "examroom.toml").write_text(to_toml(desk.config))
    return desk


def run(tmp_path: Path, *words: object) -> Result:
    return CliRunner().invoke(main, ["--config", str(tmp_path / "examroom.toml"), *map(str, words)])


def drawn(desk: DeskRoom) -> Counter[str]:
    desk.db.execute(REAL)
    session = sessions.find(desk.db, desk.session)
    conduct.open_checkin(desk.db, desk.session, open_bank(desk.identity, desk.config.paths.bundles, session), "P-001")
    papers = [attempt.paper for attempt in sessions.attempts(desk.db, desk.session).values()]
    return Counter(item["id"] for paper in papers for part in paper["parts"] for item in part["items"])


def test_counts_go_from_the_papers_into_the_bank(desk: DeskRoom, tmp_path: Path) -> None:
    assert run(tmp_path, "bank", "exposure", desk.session).exit_code == 2  # nothing is drawn yet
    wanted = drawn(desk)
    file = tmp_path / "used.json"
    done = run(tmp_path, "bank", "exposure", desk.session, desk.session, "--json", "--out", file)
    assert done.exit_code == 0, done.output
    shown = json.loads(done.output)
    assert shown["items"] == wanted and shown["papers"] == 4 and shown["sessions"] == [desk.session]
    assert json.loads(file.read_bytes()) == shown
    plain = run(tmp_path, "bank", "exposure", desk.session).output.split()
    assert int(plain[0]) == max(wanted.values())
    # what is written holds ids and figures alone
    assert not any(item.stem in file.read_text() for item in sample_bank().items)

    package, out = tmp_path / "p.zip", tmp_path / "bank.json"
    assert run(tmp_path, "bank", "export", "sample", "--out", package).exit_code == 0
    words = ("bank", "import", package, "--out", out, "--exposure")
    assert run(tmp_path, *words, file).exit_code == 0
    before = {item.id: item.exposure for item in sample_bank().items}
    after = {item.id: item.exposure for item in parse_bank(out.read_bytes()).items}
    assert after == {id_: before[id_] + wanted[id_] for id_ in before}
    assert max(after.values()) > 0
    # whatever way the bank takes: the same file once more counts nothing
    book = tmp_path / "again.xlsx"
    for source, more in ((package, ()), (book, ("--media", tmp_path / "again-media.zip"))):
        assert run(tmp_path, "bank", "export", out, "--out", source, "--replace").exit_code == 0
        again = run(tmp_path, "bank", "import", source, "--out", out, "--replace", "--exposure", file, *more)
        assert again.exit_code == 0 and desk.session in again.output, again.output
        assert {item.id: item.exposure for item in parse_bank(out.read_bytes()).items} == after
    # nor does one of which it has a part
    more = json.loads(file.read_bytes()) | {"sessions": [desk.session, "S-other"]}
    (tmp_path / "more.json").write_text(json.dumps(more))
    assert run(tmp_path, *words, tmp_path / "more.json", "--replace").exit_code == 2
    # the same session once more would count twice
    assert run(tmp_path, *words, file, "--exposure", file, "--replace").exit_code == 2
    assert {item.id: item.exposure for item in parse_bank(out.read_bytes()).items} == after


def test_lint_names_what_this_room_used_too_often(desk: DeskRoom, tmp_path: Path) -> None:
    wanted = drawn(desk)
    file, bank = tmp_path / "used.json", tmp_path / "bank.json"
    bank.write_bytes(content_of(sample_bank()))
    assert run(tmp_path, "bank", "exposure", desk.session, "--out", file).exit_code == 0
    most = min(max(wanted.values()) - 1, 1)

    def exposed(*words: object) -> list[str]:
        findings = json.loads(run(tmp_path, "bank", "lint", bank, "--max-exposure", most, "--json", *words).output)
        return [item for finding in findings if finding["code"] == "bank_exposed" for item in finding["items"]]

    assert exposed() == []
    assert set(exposed("--exposure", file)) == {item for item, times in wanted.items() if times > most}


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"version": 1, "room": "r", "sessions": ["s"], "banks": ["b"], "papers": 1, "items": {"a": -1}}'],
)
def test_what_holds_no_counts_is_refused(desk: DeskRoom, tmp_path: Path, content: str) -> None:
    file = tmp_path / "used.json"
    file.write_text(content)
    assert run(tmp_path, "bank", "lint", "sample", "--exposure", file).exit_code == 2


def test_counts_of_another_bank_are_refused(desk: DeskRoom, tmp_path: Path) -> None:
    facts: dict[str, Any] = {"room": "r", "sessions": ["s"], "papers": 1, "items": {"a": 1}}
    file = tmp_path / "used.json"
    file.write_text(json.dumps({**facts, "banks": ["other"]}))
    done = run(tmp_path, "bank", "lint", "sample", "--exposure", file)
    assert done.exit_code == 2 and "other" in done.output
    # an institution's own bank beside the province's: its items are among them
    bank = sample_bank()
    both = ExposureFile.model_validate({**facts, "banks": ["other", bank.bank], "items": {bank.items[0].id: 3}})
    assert with_exposure(bank, [both])[0].items[0].exposure == bank.items[0].exposure + 3


def test_practice_counts_for_nothing(desk: DeskRoom, tmp_path: Path) -> None:
    drawn(desk)
    desk.db.execute("UPDATE sessions SET policy = json_set(policy, '$.practice', json('true'))")
    done = run(tmp_path, "bank", "exposure", desk.session)
    assert done.exit_code == 2 and desk.session in done.output
    assert run(tmp_path, "bank", "exposure", "nobody").exit_code == 2
