"""A spot check's sample by command: announced, drawn once, drawn again on a machine that has no room."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edge import clock
from edge.cli import main
from edge.config import to_toml
from edge.domain.canonical import canonical
from edge.recording.sampling import announce
from edge.store import ledger
from edge.store.db import transaction
from support.clocked import MINUTE, ClockedSession
from support.rooms import DeskRoom, make_desk_room
from support.timed import HeldTime

SEED = "03 07 12 19 28 31 + 05"


class Box:
    def __init__(self, folder: Path) -> None:
        self.desk = make_desk_room(folder, camera={"door": {"backend": "file", "source": "d.mp4"}})
        self.folder, self.file = folder, folder / "examroom.toml"
        self.file.write_text(to_toml(self.desk.config))
        self.announced, self.drawn = folder / "announced.json", folder / "drawn.json"
        self.session = self.desk.session
        self.set("closed")

    def set(self, state: str) -> None:
        opened = 1_780_000_020_000
        with transaction(self.desk.db):
            self.desk.db.execute(
                "UPDATE sessions SET state = ?, opened_ms = ?, closed_ms = ?", (state, opened, opened + 90 * 60_000)
            )

    def run(self, *words: object) -> Result:
        command = ["--config", str(self.file), "footage", "sample", *map(str, words)]
        return CliRunner().invoke(main, command, catch_exceptions=False)

    def announce(self, *more: object, count: int = 5, out: Path | None = None) -> Result:
        named = ("--session", self.session, "--count", count, "--source", "双色球 2026138", "--by", "S-001")
        return self.run("announce", *named, "--out", out or self.announced, *more)

    def draw(self, seed: str = SEED, file: Path | None = None, out: Path | None = None) -> Result:
        return self.run("draw", file or self.announced, "--seed", seed, "--by", "S-001", "--out", out or self.drawn)

    def entries(self) -> list[dict[str, Any]]:
        kinds = ("sample_announced", "sample_drawn")
        return [entry.content for entry in ledger.entries(self.desk.db, kinds=kinds)]


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path)
    yield made
    made.desk.db.close()


def test_announced_drawn_and_drawn_again_by_anyone(box: Box, tmp_path: Path) -> None:
    told = box.announce("--json")
    assert told.exit_code == 0, told.output
    first = box.entries()[0]
    assert first["by"] == "S-001" and first["seq"] == json.loads(told.output)["seq"]
    assert "双色球" not in json.dumps(first, ensure_ascii=False)
    assert box.run("redraw", box.announced).exit_code != 0, "without a seed nothing can be drawn"
    assert box.draw().exit_code == 0
    announced, drawn = box.entries()
    made = json.loads(box.drawn.read_bytes())
    assert made["population"] == [
        {"session": box.session, "camera": "door", "from_ms": 1_780_000_020_000, "minutes": 90}
    ]
    assert drawn["body"] == {
        "sample": announced["body"]["sample"],
        "seed": SEED,
        "population_sha256": announced["body"]["population_sha256"],
        "chosen": [[one["session"], one["camera"], one["from_ms"]] for one in made["chosen"]],
    }
    assert len(made["chosen"]) == 5
    # anyone: no configuration, no room, the file alone
    elsewhere = CliRunner().invoke(
        main, ["--config", str(tmp_path / "none.toml"), "footage", "sample", "redraw", str(box.drawn), "--json"]
    )
    assert elsewhere.exit_code == 0, elsewhere.output
    again = json.loads(elsewhere.output)["chosen"]
    assert [one["from"] for one in again] == [clock.iso(one["from_ms"]) for one in made["chosen"]]


@pytest.mark.parametrize("step", [15 * 60, -15 * 60])
def test_a_clock_that_was_set_adds_no_minutes_and_takes_none(
    desk: DeskRoom, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Opened by the time last saved; ten minutes later the network sets the clock by 15 hours, before two of exam."""
    start = 1_780_000_020_000
    session = ClockedSession(desk, HeldTime(wall=start).hold(monkeypatch))
    session.opens()
    session.films(10)
    session.is_set(step * MINUTE, "door")
    session.films(120)
    session.closes()
    made = announce(desk.db, "room-1", [desk.session], ["door"], source="x", count=20, by="S-001")
    assert sorted((one.from_ms - start) // MINUTE for one in made.population) == sorted([0, 10 + step])
    assert sum(one.minutes for one in made.population) == pytest.approx(130, abs=2)
    seen = (start, start + 5 * MINUTE)
    part = announce(desk.db, "room-1", [desk.session], ["door"], source="x", count=5, by="S-001", within=seen)
    assert [one.minutes for one in part.population] == [5]


def test_an_announcement_is_drawn_once(box: Box) -> None:
    assert box.announce().exit_code == 0
    assert box.draw().exit_code == 0
    kept = box.drawn.read_bytes()
    other = box.draw("another seed", out=box.folder / "other.json")
    assert other.exit_code == 1 and "已经抽取过" in other.output
    box.drawn.unlink()  # the same seed gives the same file again, and no second entry
    assert box.draw().exit_code == 0
    assert box.drawn.read_bytes() == kept
    assert [entry["kind"] for entry in box.entries()] == ["sample_announced", "sample_drawn"]


@pytest.mark.parametrize(
    "change", [{"count": 6}, {"source": "掷骰子"}, {"seq": 0}, {"room": "room-9"}, {"id": "0" * 16}, {"minutes": 89}]
)
def test_what_was_not_announced_is_not_drawn(box: Box, change: dict[str, Any]) -> None:
    assert box.announce().exit_code == 0
    facts = json.loads(box.announced.read_bytes())
    if "minutes" in change:
        facts["population"][0] |= change
    else:
        facts |= change
    altered = box.folder / "altered.json"
    altered.write_bytes(canonical(facts))
    told = box.draw(file=altered)
    assert told.exit_code == 1 and "台账里没有" in told.output
    assert not box.drawn.exists() and len(box.entries()) == 1


def test_an_altered_sample_is_told(box: Box) -> None:
    box.announce()
    box.draw()
    facts = json.loads(box.drawn.read_bytes())
    facts["chosen"][2]["from_ms"] += 60_000
    box.drawn.write_bytes(canonical(facts))
    told = box.run("redraw", box.drawn)
    assert told.exit_code == 1 and "不同" in told.output


def test_what_is_wrong_is_said_and_leaves_nothing(box: Box) -> None:
    junk = box.folder / "junk.json"
    for content in (b"", b"[]", b"{", b"\xff", b'{"format": "examroom-sample-1"}', b"[" * 100_000):
        junk.write_bytes(content)
        assert box.run("redraw", junk).exit_code == 2
        assert box.draw(file=junk).exit_code == 2
    assert box.announce(count=91).exit_code == 2
    assert box.announce(out=junk).exit_code == 2
    assert box.announce("--session", "S-9").exit_code == 2
    box.set("running")
    assert box.announce().exit_code == 1
    assert box.announce("--source", "a\nb").exit_code != 0
    assert box.entries() == [] and not box.announced.exists()


def test_a_list_by_command_is_a_search(box: Box) -> None:
    listed = CliRunner().invoke(main, ["--config", str(box.file), "footage", "list", "--from", "0", "--until", "5000"])
    assert listed.exit_code == 0, listed.output
    found = ledger.entries(box.desk.db, kinds=("footage_searched",))
    assert [entry.body for entry in found] == [{"cameras": ["door"], "from_ms": 0, "until_ms": 5000}]
