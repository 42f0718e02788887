"""Fetched rosters become sessions; one that is wrong is refused by itself, one that is early waits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge import clock
from edge.demo import people as cast
from edge.domain.canonical import canonical
from edge.errors import BadInput
from edge.exam import arrivals
from edge.exam.arrivals import not_used, take_in_arrivals
from edge.exam.documents import parse_policy, parse_roster
from edge.store import bundles, gatewaytime, ledger, sessions
from edge.store.db import transaction
from edge.trust.seal import Kind, seal_bundle
from edge.trust.signer import Ed25519Signer
from support.examples import examples
from support.rooms import DAY_MS, DeskRoom, make_desk_room


class Box:
    """A room to which bundles of its own root arrive."""

    def __init__(self, desk: DeskRoom) -> None:
        self.desk, self.db = desk, desk.db
        self._root = Ed25519Signer.load(desk.config.paths.keys / "root.key")

    def arrive(self, kind: Kind, name: str, content: bytes, version: int = 1, early_ms: int = -DAY_MS) -> None:
        here = self.desk.identity.certificate
        now = clock.wall_ms()
        data = seal_bundle(
            kind, name, version, content, {here.room: here.seal_public}, [self._root],
            not_before_ms=now + early_ms, expires_ms=now + DAY_MS, facts={},
        )  # fmt: skip
        file = f"{kind}-{name}-{version}.bundle"
        (self.desk.config.paths.bundles / file).write_bytes(data)
        with transaction(self.db):
            bundles.put(self.db, kind, name, version, file, hashlib.sha256(data).hexdigest())

    def roster(self, name: str, document: Any, early_ms: int = -DAY_MS) -> None:
        """`document`: a roster, or its JSON text where that can say more than canonical JSON."""
        content = document.encode() if isinstance(document, str) else canonical(document)
        self.arrive("roster", name, content, early_ms=early_ms)

    def take(self) -> list[str]:
        return take_in_arrivals(self.db, self.desk.config.paths)

    def refusals(self) -> dict[str, str]:
        return {e.body["name"]: e.body["reason"] for e in ledger.entries(self.db, kinds=("bundle_refused",))}

    def told(self) -> dict[Any, str]:
        return {one["name"]: str(one["en"]) for one in not_used(self.db)}


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    desk = make_desk_room(tmp_path, size=1)
    made = Box(desk)
    with transaction(made.db):
        bundles.put(made.db, "bank", "sample-safety", 1, "bank-1.bundle", "0" * 64)
    made.arrive("policy", "policy", canonical(cast.POLICY))
    yield made
    made.db.close()


WHOLE = cast.roster("S-1", clock.wall_ms(), size=2, photos=False)


def document(session: str, **change: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(WHOLE))
    made["session"]["id"], made["class"]["id"] = session, f"C-{session}"
    return made | change


def changed(session: str, path: str, value: Any) -> dict[str, Any]:
    made = document(session)
    place: Any = made
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in way:
        place = place[part]
    place[last] = value
    return made


def test_an_early_roster_waits_for_its_time_and_a_lagging_clock_goes_by_the_gateway_s(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.roster("S-20", document("S-20"), early_ms=3_600_000)
    box.roster("S-21", document("S-21"))
    assert box.take() == ["S-21"], "what is early holds up nobody"
    assert box.take() == [] and box.refusals() == {}
    assert "may not be opened yet" in box.told()["S-20"]
    gatewaytime.heard(box.db, clock.wall_ms() + 3_700_000)
    assert box.take() == ["S-20"] and box.told() == {}
    # after a restart with a clock that was never set, what the gateway said last is still in the past
    monkeypatch.setattr(clock, "boot_id", lambda: "another")
    box.roster("S-22", document("S-22"), early_ms=3_600_000)
    monkeypatch.setattr(clock, "wall_ms", lambda: 1000)
    assert gatewaytime.best_ms(box.db)[0] > 3_700_000
    assert box.take() == ["S-22"]


def test_a_roster_s_file_is_empty_once_its_session_is_planned(box: Box) -> None:
    folder = box.desk.config.paths.bundles
    box.roster("S-60", document("S-60"))
    box.roster("S-61", document("S-61", bank={"name": "sample-safety", "version": 7}))
    assert box.take() == ["S-60"]
    assert (folder / "roster-S-60-1.bundle").stat().st_size == 0
    assert (folder / "roster-S-61-1.bundle").stat().st_size > 0, "what waits is wanted yet"
    assert box.take() == []
    # a store restored from before that: the file is fetched again, since it is no longer there
    with transaction(box.db):
        box.db.execute("DELETE FROM meta WHERE key = 'bundle_taken:roster:S-60:1'")
    assert box.take() == [] and box.refusals() == {}
    assert not (folder / "roster-S-60-1.bundle").exists()


def test_the_gateway_s_time_is_written_when_it_is_new(box: Box) -> None:
    gatewaytime.heard(box.db, clock.wall_ms() + 90_000)
    before = box.db.total_changes
    gatewaytime.heard(box.db, clock.wall_ms() + 90_500)
    assert box.db.total_changes == before
    at, believed = gatewaytime.best_ms(box.db)
    assert believed and abs(at - clock.wall_ms() - 90_000) < 2000


def test_a_good_roster_waits_for_a_policy_or_bank_that_cannot_be_used(box: Box) -> None:
    box.arrive("policy", "policy", b'{"pass": 1}', version=2)
    box.roster("S-30", document("S-30"))
    box.roster("S-31", document("S-31", bank={"name": "sample-safety", "version": 7}))
    assert box.take() == [] and box.refusals() == {}
    assert "version 2 cannot be used" in box.told()["S-30"]
    assert "bank sample-safety version 7" in box.told()["S-31"]
    changes = box.db.total_changes
    assert box.take() == [] and box.db.total_changes == changes, "waiting writes nothing again and again"
    box.arrive("policy", "policy", canonical(cast.POLICY), version=3, early_ms=3_600_000)
    assert box.take() == [] and box.refusals() == {}
    box.arrive("policy", "policy", canonical(cast.POLICY), version=4)
    assert box.take() == ["S-30"]


BAD = [
    ("session.planned_ms", 10**20, "session.planned_ms"),
    ("session.planned_ms", 1_790_000_000_000_000, "session.planned_ms"),
    ("bank.version", 10**30, "bank.version"),
    ("class.level", "\ud800", ""),
    ("candidates.0.name", "张\x00三", ""),
    ("candidates.1.name", "   ", "candidates.1.name"),
    ("candidates.1.name", "\u3000", "candidates.1.name"),
    ("candidates.1.name", "张\u2028三", "candidates.1.name"),
    ("staff.0.name", "", "staff.0.name"),
    ("candidates.0.document.number", "110105194912310021", "candidates.0.document.number"),
    ("blueprint.title.zh", "\x1b[31m", ""),
    ("candidates.0.张三", 1, "candidates.0"),
]


def test_a_name_is_tidied_as_in_a_spreadsheet() -> None:
    made = changed("S-41", "candidates.0.name", "张\u3000\u200b三")
    made["candidates"][1]["name"] = "刘\ue815"
    assert [one.name for one in parse_roster(canonical(made)).candidates] == ["张三", "刘\ue815"]


def test_every_wrong_roster_is_refused_by_itself_and_the_next_good_one_comes(box: Box) -> None:
    for number, (path, value, _) in enumerate(BAD):
        box.roster(f"B-{number:02d}", json.dumps(changed(f"B-{number:02d}", path, value)))
    box.roster("B-98", '{"session": ' + "9" * 6000 + "}")
    box.roster("B-99", "[" * 100_000)
    box.roster("C-1", document("S-1"))
    box.roster("D-1", changed("S-40", "staff.0.badge", cast.badge_of(1) + "7"))
    assert box.take() == ["S-40"]
    assert box.take() == []
    refused = box.refusals()
    assert {name for name, code in refused.items() if code == "roster_broken"} == refused.keys() - {"C-1"}
    assert len(refused) == len(BAD) + 3 and refused["C-1"] == "session_exists"
    entries = {e.body["name"]: e.body for e in ledger.entries(box.db, kinds=("bundle_refused",))}
    for number, (_, _, place) in enumerate(BAD):
        assert place in entries[f"B-{number:02d}"].get("where", ""), "the ledger says where"
        assert "张三" not in str(entries[f"B-{number:02d}"]), "and no word that somebody wrote"
    assert "session.planned_ms" in box.told()["B-00"]
    assert len(sessions.all_sessions(box.db)) == 2
    json.dumps(not_used(box.db), ensure_ascii=False).encode()


def test_what_no_check_foresaw_is_refused_too(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, fault in enumerate((OverflowError("int"), ValueError("x"))):
        box.roster(f"S-5{number}", document(f"S-5{number}"))

        def fail(*_: object, fault: Exception = fault, **__: object) -> str:
            raise fault

        monkeypatch.setattr(arrivals, "plan_session", fail)
        assert box.take() == []
    assert box.refusals() == {"S-50": "roster_broken", "S-51": "roster_broken"}


def test_the_session_and_the_note_that_its_roster_was_used_are_one_transaction(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.roster("S-60", document("S-60"))

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(bundles, "set_taken", killed)
        with pytest.raises(KeyboardInterrupt):
            box.take()
    assert [s.id for s in sessions.all_sessions(box.db)] == ["S-1"]
    assert box.take() == ["S-60"] and box.refusals() == {}


def test_a_roster_refused_for_its_seal_comes_again_when_it_is_sealed_anew(box: Box) -> None:
    box.roster("S-70", document("S-70"))
    file = box.desk.config.paths.bundles / "roster-S-70-1.bundle"
    sealed = file.read_bytes()
    file.write_bytes(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    assert box.take() == [] and box.refusals() == {"S-70": "bundle_content"}
    assert box.take() == [] and len(ledger.entries(box.db, kinds=("bundle_refused",))) == 1
    box.roster("S-70", document("S-70"))
    assert box.take() == ["S-70"] and box.told() == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("\ud800") | st.just(10**30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def paths_of(value: Any, above: str = "") -> Iterator[str]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield f"{above}{key}"
        yield from paths_of(one, f"{above}{key}.")


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(paths_of(WHOLE))), JSON)
def test_a_roster_with_anything_in_any_place_is_taken_or_refused_with_a_sentence(path: str, value: Any) -> None:
    try:
        found = parse_roster(json.dumps(changed("S-1", path, value)).encode())
    except BadInput as error:
        assert error.code == "roster_broken" and error.facts["where"] and str(error)
    else:
        assert canonical(found.model_dump(mode="json", by_alias=True))
        assert 0 <= found.session.planned_ms <= 4_102_444_800_000


@settings(max_examples=examples(40), deadline=None)
@given(
    st.binary(max_size=60) | st.dictionaries(st.sampled_from(sorted(cast.POLICY)), JSON).map(json.dumps).map(str.encode)
)
def test_a_policy_of_anything_is_taken_or_refused_with_a_sentence(content: bytes) -> None:
    try:
        parse_policy(content)
    except BadInput as error:
        assert error.code == "policy_broken" and str(error)
