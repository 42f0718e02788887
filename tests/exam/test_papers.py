"""From a bank to papers, to the page, to points, and back from a result to the same paper."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from edge import clock
from edge.bank.build import content_of, sample_bank
from edge.bank.model import BankDocument, Counted, MediaFile, fingerprint, parse_bank
from edge.cli import main
from edge.config import to_toml
from edge.demo import people as cast
from edge.domain.canonical import canonical
from edge.domain.paper import responses_of
from edge.errors import BadInput, Conflict, NotFound
from edge.exam import conduct, marking, papers, results
from edge.exam.banks import joined, open_bank
from edge.exam.documents import TrainingClass, parse_policy, parse_roster
from edge.exam.intake import take_in
from edge.exam.journal import AnswerJournal
from edge.exam.live import LiveExam
from edge.exam.planning import blueprint_for, need_fit, note_short, rubrics_for
from edge.exam.replay import recorded_here, recorded_in, replay
from edge.ops.ports import free_port
from edge.store import admissions, people, records, sessions
from edge.store.db import open_room
from support.rooms import DeskRoom, TabletHand, make_desk_room, right_letters, seal_bank
from support.serving import open_exam, serving

BY = "P-001"
SOURCE = {"standard": "MARK-STANDARD", "title": "MARK-TITLE", "edition": "MARK-EDITION", "clause": "MARK-CLAUSE"}
PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 %d"/>'
PICTURES = {
    name: base64.b64encode(PICTURE % number).decode()
    for number, name in enumerate(("MARK-shown.svg", "MARK-place.svg", "MARK-secret.svg"), start=1)
}


def an_item(name: str, kind: str, **rest: Any) -> dict[str, Any]:
    base = {"id": name, "type": kind, "test": "safety", "topic": "MARK-TOPIC", "stem": f"题 {name}", "difficulty": 4}
    base |= {"points": 2, "source": SOURCE, "template": f"MARK-T-{name}", "exposure": 77}
    return (
        {**base, "options": [{"key": k, "text": f"{name}-{k}"} for k in "ABCD"], **rest}
        if kind in CHOICES
        else {
            **base,
            **rest,
        }
    )


CHOICES = ("single", "multiple", "order", "match")
LEFT = [{"key": k, "text": f"左 {k}"} for k in "12"]
TEXT = {"kind": "text", "accepted": ["MARK-ACCEPTED"]}
NUMBER = {"kind": "number", "value": "8461.27", "tolerance": "0.7319", "units": ["mm", "MARK-UNIT"]}
ASKED = {"kind": "number", "value": "8461.27", "units": ["MARK-UNIT", "kg"], "shown_units": ["t", "kg"]}
REGION = {"shape": "rect", "coords": [461, 577, 613, 733]}


def called(name: str) -> str:
    """What a page calls one of PICTURES."""
    return papers.shown_name(MediaFile(type="image/svg+xml", data=PICTURES[name]))


def marked_bank() -> BankDocument:
    """One item of each kind, with marks in everything a candidate may not see."""
    subs = [
        an_item("K.1", "single", answer=["C"]),
        an_item("K.2", "fill", stem="填 ____", blanks=[TEXT]),
    ]
    translations = {"en": {"stem": "Question", "options": {"A": "first"}}}
    items = [
        an_item(
            "S", "single", answer=["D"], translations=translations, media=[{"name": "MARK-shown.svg", "alt": "图"}]
        ),
        an_item("M", "multiple", answer=["B", "C"]),
        an_item("O", "order", answer=list("DBCA")),
        an_item("P", "match", left=LEFT, answer={"1": "C", "2": "A"}),
        an_item("F", "fill", stem="一 ____ 二 ____ 三 ____", blanks=[TEXT, NUMBER, ASKED]),
        an_item("H", "hotspot", image="MARK-place.svg", aspect=700, regions=[REGION]),
        an_item("K", "case", points=4, items=subs),
    ]
    items += [an_item("X", "single", answer=["A"], topic="other", media=[{"name": "MARK-secret.svg", "alt": "图"}])]
    media = {name: {"type": "image/svg+xml", "data": data} for name, data in PICTURES.items()}
    draws = [
        {"type": kind, "count": 1} | ({"topics": ["MARK-TOPIC"]} if kind == "single" else {})
        for kind in ("single", "multiple", "order", "match", "fill", "hotspot", "case")
    ]
    title = {"zh": "题库", "en": ""}
    blueprint = {"id": "B", "title": title, "post": "架子工", "regime": "skilled-worker", "minutes": 60}
    blueprint["parts"] = [{"test": "safety", "title": title, "draw": draws, "minutes": 30}]
    document = {"bank": "marked", "title": title, "items": items, "media": media, "blueprints": [blueprint]}
    return parse_bank(canonical(document))


def plan(
    desk: DeskRoom,
    session: str,
    bank: BankDocument,
    local: BankDocument | None = None,
    blueprint: dict[str, Any] | None = None,
    size: int = 3,
    **policy: Any,
) -> str:
    """Another planned session in a desk room: for these banks, without a practical part, and not for practice."""
    files = [seal_bank(desk.config, one, 1, f"{one.bank}.bundle") for one in (bank, local) if one is not None]
    document = cast.roster(session, clock.wall_ms(), size=size, photos=False)
    document |= {"bank": {"name": bank.bank, "version": 1}, "rubric": None}
    document["blueprint"] = blueprint or bank.blueprints[0].model_dump()
    if local is not None:
        document["local_bank"] = {"name": local.bank, "version": 1}
    rules = parse_policy(canonical({**cast.POLICY, "practice": False, **policy}))
    return take_in(
        desk.db,
        parse_roster(canonical(document)),
        rules,
        room="room-1",
        bank_file=files[0],
        data_key=desk.identity.keys.data,
        local_bank_file=files[1] if local is not None else None,
    )


@dataclass
class Sat:
    """A session under way in a desk room."""

    desk: DeskRoom
    session: str
    bank: BankDocument
    journal: AnswerJournal
    live: LiveExam

    def hand(self, number: int = 1) -> TabletHand:
        return TabletHand(self.live, self.code(number))

    def code(self, number: int) -> str:
        code = next(c.seat_code for c in people.candidates(self.desk.db, self.session) if c.number == number)
        assert code is not None
        return code

    def person(self, number: int) -> str:
        return next(c.person for c in people.candidates(self.desk.db, self.session) if c.number == number)

    def start(self) -> None:
        conduct.start(self.desk.db, self.session, BY)
        self.live.set_running(self.session, True)
        self.live.refresh(self.desk.db)

    def close(self) -> None:
        marking.close(self.desk.db, self.journal, self.live, self.session, self.bank, "时间到", BY)


@contextmanager
def sitting(desk: DeskRoom, session: str) -> Iterator[Sat]:
    """Check-in opened and everybody admitted; not started."""
    bank = opened(desk, session)
    conduct.open_checkin(desk.db, session, bank, BY)
    for who in people.candidates(desk.db, session):
        admissions.admit(desk.db, session, who.person, route="policy", reason="admitted_manual", by=BY)
    journal = AnswerJournal(desk.config.paths.answers_db)
    live = LiveExam(journal, lambda s: open_bank(desk.identity, desk.config.paths.bundles, s))
    live.refresh(desk.db)
    yield Sat(desk, session, bank, journal, live)
    journal.close()


def opened(desk: DeskRoom, session: str) -> BankDocument:
    return open_bank(desk.identity, desk.config.paths.bundles, sessions.find(desk.db, session))


def sat_through(desk: DeskRoom, session: str, **planned: Any) -> tuple[str, list[Path]]:
    """A whole session, nobody answering: the first attempt's id and the result files."""
    plan(desk, session, **planned)
    with sitting(desk, session) as sat:
        sat.start()
        sat.close()
        attempt = sessions.attempts(desk.db, session)[sat.person(1)].id
    results.sign_results(desk.db, desk.identity, session, BY)
    return attempt, results.write_files(desk.db, desk.identity, session, desk.config.paths.results)


# ---- the page


def test_the_page_gets_what_each_kind_needs(desk: DeskRoom) -> None:
    with sitting(desk, plan(desk, "S-2", marked_bank())) as sat:
        sat.start()
        hand = sat.hand()
        (part,) = sat.live.paper(hand.tablet)["parts"]
        drawn = {entry["id"]: entry for entry in hand.tablet.sitting.attempt.paper["parts"][0]["items"]}
    assert part["minutes"] == 30
    shown = {item["id"]: item for item in part["items"]}
    assert [item["n"] for item in part["items"]] == list(range(1, 8))
    single = shown["S"]
    assert [o["text"] for o in single["options"]] == [f"S-{key}" for key in drawn["S"]["order"]]
    assert [o["key"] for o in single["options"]] == list("ABCD")
    assert single["stem_more"] == {"en": "Question"}
    assert [o["more"] for o in single["options"] if o["text"] == "S-A"] == [{"en": "first"}]
    size = len(PICTURE % 1)
    assert single["media"] == [
        {"name": called("MARK-shown.svg"), "kind": "image", "type": "image/svg+xml", "alt": "图", "bytes": size}
    ]
    assert shown["F"]["blanks"] == [
        {"kind": "text", "unit": "", "shown_units": []},
        {"kind": "number", "unit": "mm", "shown_units": []},
        {"kind": "number", "unit": "", "shown_units": ["t", "kg"]},
    ]
    assert [left["key"] for left in shown["P"]["left"]] == ["1", "2"]
    assert (shown["H"]["image"], shown["H"]["aspect"], shown["H"]["marks"]) == (called("MARK-place.svg"), 700, 1)
    assert [(sub["id"], sub["n"]) for sub in shown["K"]["items"]] == [("K.1", "7.1"), ("K.2", "7.2")]


def test_only_files_of_ones_own_paper_and_only_while_it_may_be_seen(desk: DeskRoom) -> None:
    with sitting(desk, plan(desk, "S-2", marked_bank())) as sat:
        hand = sat.hand()
        with pytest.raises(Conflict):
            sat.live.media(hand.tablet, called("MARK-shown.svg"))
        sat.start()
        hand.tablet = sat.live.tablet(hand.secret)
        for name in ("MARK-shown.svg", "MARK-place.svg"):
            assert sat.live.media(hand.tablet, called(name)).content() == base64.b64decode(PICTURES[name])
        for name in (called("MARK-secret.svg"), "MARK-shown.svg", "../room.db", "nothing"):
            with pytest.raises(NotFound) as unknown:
                sat.live.media(hand.tablet, name)
            assert unknown.value.code == "media_unknown"
        hand.hand_in()
        with pytest.raises(Conflict):
            sat.live.media(hand.tablet, called("MARK-shown.svg"))


ALLOWED = {
    *("parts", "test", "title", "zh", "en", "minutes", "left_ms", "items", "id", "n", "type", "stem", "stem_more"),
    *("options", "key", "text", "more", "image", "points", "media", "name", "kind", "alt", "bytes", "left", "blanks"),
    *("unit", "shown_units", "aspect", "marks"),
}
# numbers that no random id, hash or clock can hold by chance
NUMBERS = rb"8461\.27|0\.7319|461, ?577|613, ?733"
MARKS = re.compile(rb"MARK-|" + NUMBERS + rb"|\"(order|exposure|difficulty|accepted|tolerance|regions|answer)\":")


def keys_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set().union(*({key} | keys_of(inner) for key, inner in value.items()))
    return set().union(*(keys_of(inner) for inner in value)) if isinstance(value, list) else set()


def test_no_byte_sent_to_a_candidate_holds_a_key(tmp_path: Path) -> None:
    """A whole exam over HTTP: every page, script and answer that a candidate's tablet is given, headers too."""
    desk = make_desk_room(tmp_path, web={"port": free_port()})
    bank = marked_bank()
    session = plan(desk, "S-2", bank)
    received: list[tuple[str, bytes]] = []
    with serving(desk, tmp_path) as (_, base):
        _, codes = open_exam(base, session)
        for number, code in enumerate(codes):
            tablet = requests.Session()

            def ask(method: str, path: str, body: Any = None, http: requests.Session = tablet, **headers: str) -> Any:
                answer = http.request(method, base + path, json=body, headers=headers, timeout=20)
                received.append((f"{method} {path}", repr(dict(answer.headers)).encode() + b"\n" + answer.content))
                return answer

            ask("GET", "/exam/")
            claim = ask("POST", "/exam/api/claim", {"seat_code": code, "claim": "c" * 40 + str(number)}).json()
            paper = ask("GET", "/exam/api/paper").json()
            assert keys_of(paper["parts"]) <= ALLOWED, keys_of(paper["parts"]) - ALLOWED
            assert not set(re.findall(r"\d+", json.dumps(paper["parts"]))) & {
                "461",
                "577",
                "613",
                "733",
                "8461",
                "7319",
            }
            for name in ("MARK-shown.svg", "MARK-place.svg", "MARK-secret.svg"):
                assert ask("GET", f"/exam/api/media/{called(name)}").status_code == (
                    404 if name == "MARK-secret.svg" else 200
                )
            part = ask("GET", "/exam/api/media/" + called("MARK-shown.svg"), Range="bytes=1-4")
            assert (part.status_code, part.content) == (206, b"svg ")
            assert part.headers["Cache-Control"] == "no-store"
            assert "sandbox" in part.headers["Content-Security-Policy"]
            wrong = {
                "S": ["A"],
                "M": ["A", "B"],
                "O": list("ABCD"),
                "P": ["1A", "2B"],
                "F": ["x", "1", "2 t"],
                "H": ["5,5"],
            }
            wrong |= {"K.1": ["B"], "K.2": ["y"]}
            kept = {}
            for at, (item, value) in enumerate(wrong.items()):
                op = {"op_id": f"op-{number}-{at:06}", "seq": at + 1, "item": item, "base_version": 0, "value": value}
                answer = ask("POST", "/exam/api/answers", op, **{"X-CSRF": claim["csrf"]})
                assert answer.status_code == 200, answer.text
                kept[item] = set(answer.json())
                ask("GET", "/exam/api/clock")
            assert len(set(map(frozenset, kept.values()))) == 1  # an answer says no more for being right
            ask("GET", "/exam/api/paper")
            last = {"op_id": f"op-{number}-hand-in", "seq": len(wrong) + 1}
            assert ask("POST", "/exam/api/handin", last, **{"X-CSRF": claim["csrf"]}).status_code == 200
            assert ask("GET", "/exam/api/paper").status_code == 409
            assert ask("GET", "/exam/api/media/" + called("MARK-shown.svg")).status_code == 409
            if number == 0:
                for path in static_files(base):
                    assert ask("GET", path).status_code == 200, path
    desk.db.close()
    assert len(received) > 60
    in_the_bank = {found[0] for found in MARKS.finditer(content_of(bank))}
    assert {b"MARK-", b"8461.27", b"0.7319", b"461,577", b"613,733", b'"answer":'} <= in_the_bank
    for what, content in received:
        found = MARKS.search(content)
        assert found is None, (what, found)


def static_files(base: str) -> list[str]:
    """Every file that the exam's pages may load, and the service worker."""
    folder = Path(__file__).parents[2] / "edge"
    found = []
    for root, address in ((folder / "web/exam/static", "/exam/static"), (folder / "ui/static", "/ui/static")):
        found += [f"{address}/{file.relative_to(root).as_posix()}" for file in root.rglob("*") if file.is_file()]
    assert any(path.endswith(".js") for path in found)
    page = requests.get(base + "/exam/", timeout=20).text
    prefix = re.search(r'"(/[^"]*?)/base\.css', page)
    assert prefix is not None, "where the shared styles are served"
    return ["/exam/sw.js", *(path.replace("/ui/static", prefix[1], 1) for path in found)]


# ---- points


def test_a_right_paper_of_every_kind_gets_everything_and_a_case_counts_by_its_questions(desk: DeskRoom) -> None:
    with sitting(desk, plan(desk, "S-2", marked_bank())) as sat:
        sat.start()
        best, half = sat.hand(1), sat.hand(2)
        for item, value in right_letters(best.tablet, sat.bank).items():
            assert best.answer(item, value).outcome == "applied"
        half.answer("F", ["mark-accepted", "8461.3 t", ""])
        half.answer("K.2", [" ＭＡＲＫ-accepted "])
        with pytest.raises(BadInput):
            half.answer("K", ["A"])
        sat.close()
    tests = records.tests_of(desk.db, "S-2")
    full = tests[sat.person(1)]["safety"]
    assert (full.points, full.full, full.facts["answered"], full.facts["of"]) == (1600, 1600, 8, 8)
    some = tests[sat.person(2)]["safety"]
    assert (some.points, some.facts["answered"]) == (200 // 3 + 200, 2)


def test_a_test_in_two_parts_has_one_record(desk: DeskRoom) -> None:
    bank = sample_bank()
    blueprint = bank.blueprints[0].model_dump()
    title = {"zh": "二", "en": ""}
    blueprint["parts"].append({"test": "theory", "title": title, "draw": [{"type": "single", "count": 4}]})
    with sitting(desk, plan(desk, "S-2", bank, blueprint=blueprint)) as sat:
        sat.start()
        hand = sat.hand()
        for item, value in right_letters(hand.tablet, sat.bank).items():
            hand.answer(item, value)
        sat.close()
    theory = records.tests_of(desk.db, "S-2")[sat.person(1)]["theory"]
    assert theory.points == theory.full
    assert theory.facts["of"] == 22 + 4


# ---- drawing in a room


def test_a_bank_that_falls_short_says_where(desk: DeskRoom) -> None:
    bank = sample_bank()
    blueprint = bank.blueprints[0].model_dump()
    blueprint["parts"][1]["draw"].append({"type": "fill", "count": 9, "topics": ["扣件式脚手架"], "difficulty": [3]})
    plan(desk, "S-2", bank, blueprint=blueprint)
    note_short(desk.db, desk.identity, desk.config.paths.bundles, "S-2")
    assert "扣件式脚手架 ★3 2/9" in sessions.find(desk.db, "S-2").bank_short
    with pytest.raises(BadInput) as short:
        conduct.open_checkin(desk.db, "S-2", opened(desk, "S-2"), BY)
    assert short.value.code == "bank_short"
    assert "theory/fill 扣件式脚手架 ★3 2/9" in short.value.sentence("zh")
    assert sessions.find(desk.db, "S-2").state == "planned"


def test_items_of_the_last_sessions_rest(desk: DeskRoom) -> None:
    bank = sample_bank()
    one = {"id": "B", "title": {"zh": "一", "en": ""}, "post": "架子工", "regime": "skilled-worker", "minutes": 60}
    draw = [{"type": "judgement", "count": 6}]
    one |= {"parts": [{"test": "safety", "title": {"zh": "一", "en": ""}, "draw": draw}], "rest_sessions": 1}
    seen = []
    for session in ("S-2", "S-3", "S-4"):
        plan(desk, session, bank, blueprint=one, size=2)
        conduct.open_checkin(desk.db, session, opened(desk, session), BY)
        attempts = sessions.attempts(desk.db, session).values()
        seen.append({entry["id"] for attempt in attempts for entry in responses_of(attempt.paper)})
    assert not seen[0] & seen[1]
    assert not seen[1] & seen[2]


def test_what_the_room_has_used_counts_as_exposure_and_replays(desk: DeskRoom, tmp_path: Path) -> None:
    bank = sample_bank()
    blueprint = {"id": "B", "title": {"zh": "一", "en": ""}, "post": "架子工", "regime": "skilled-worker"}
    part = {"test": "safety", "title": {"zh": "一", "en": ""}, "draw": [{"type": "judgement", "count": 5}]}
    blueprint |= {"minutes": 60, "parts": [part], "max_exposure": 1}

    def used(session: str) -> Counter[str]:
        found = sessions.attempts(desk.db, session).values()
        return Counter(entry["id"] for attempt in found for entry in responses_of(attempt.paper))

    sat_through(desk, "S-2", bank=bank, blueprint=blueprint, size=5)  # 25 of 24
    often = {item for item, times in used("S-2").items() if times > 1}
    counted = bank.model_copy(update={"counted": [Counted(room="room-1", session="S-2")]})
    assert papers.worn(desk.db, "room-1", blueprint, bank) == sorted(often) != []
    assert papers.worn(desk.db, "room-2", blueprint, counted) == sorted(often)
    assert papers.worn(desk.db, "room-1", blueprint, counted) == papers.worn(desk.db, "room-1", {}, bank) == []
    _, files = sat_through(desk, "S-3", bank=bank, blueprint=blueprint)
    assert not often & set(used("S-3"))
    file = tmp_path / "bank.json"
    file.write_bytes(content_of(bank))
    done = run("paper", "replay", "--result", files[0], "--bank", file, "--root", desk.config.paths.trust / "root.pub")
    assert done.exit_code == 0, done.output
    part["draw"] = [{"type": "judgement", "count": 24}]
    plan(desk, "S-4", bank, blueprint=blueprint | {"max_exposure": 0})
    with pytest.raises(BadInput) as short:
        conduct.open_checkin(desk.db, "S-4", opened(desk, "S-4"), BY)
    assert short.value.code == "bank_short"


def test_a_class_gets_the_blueprint_of_its_post_and_level() -> None:
    bank = sample_bank()
    first = bank.blueprints[0]
    others = {"four": {"level": "四级"}, "any": {"level": None}, "rebar": {"post": "钢筋工"}}
    more = [first, *(first.model_copy(update={"id": name, **change}) for name, change in others.items())]
    bank = bank.model_copy(update={"blueprints": more})

    def chosen(**group: str | None) -> str:
        facts = {"id": "C", "title": "班", "regime": "skilled-worker", "post": "架子工", "level": "五级", **group}
        return blueprint_for(bank, TrainingClass.model_validate(facts)).id

    assert [chosen(), chosen(level="四级"), chosen(level="二级"), chosen(level=None)] == [
        first.id,
        "four",
        "any",
        "any",
    ]
    assert chosen(post="钢筋工") == "rebar"
    for other in ({"post": "木工"}, {"regime": "site-professional"}, {"post": "钢筋工", "level": "四级"}):
        with pytest.raises(BadInput) as none:
            chosen(**other)
        assert none.value.code == "blueprint_none"
        assert "班" in none.value.sentence("zh") and first.id in none.value.sentence("en")


def test_a_class_gets_no_score_sheet_of_another_trade() -> None:
    bank = sample_bank()
    (sheet,) = bank.rubrics
    facts = {"id": "C", "title": "班", "regime": "skilled-worker", "post": "架子工", "level": "五级"}
    own, other = (TrainingClass.model_validate({**facts, "post": post}) for post in ("架子工", "木工"))
    blueprint = bank.blueprints[0]
    assert rubrics_for(bank, own, blueprint, []) == rubrics_for(bank, own, blueprint, [sheet.id]) == [sheet]
    for named, code in (([], "rubric_none"), ([sheet.id], "rubric_other")):
        with pytest.raises(BadInput) as none:
            rubrics_for(bank, other, blueprint, named)
        assert none.value.code == code and "木工" in none.value.sentence("zh")
    assert rubrics_for(bank.model_copy(update={"rubrics": []}), other, blueprint, []) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, None),
        ({"post": "木工"}, "blueprint_other"),
        ({"level": "四级"}, "blueprint_other"),
        ({"regime": "site-professional"}, "blueprint_other"),
        ({"sheet": "木工"}, "rubric_other"),
    ],
)
def test_a_synced_roster_brings_what_is_meant_for_its_class(change: dict[str, str], code: str | None) -> None:
    document = cast.roster("S-9", clock.wall_ms(), size=1, photos=False)
    if sheet := change.pop("sheet", None):
        document["rubric"]["trade"]["name"] = sheet
    document["class"] |= change
    roster = parse_roster(canonical(document))
    if code is None:
        need_fit(roster)
        return
    with pytest.raises(BadInput) as refused:
        need_fit(roster)
    assert refused.value.code == code and "{" not in refused.value.sentence("en")


def local_bank(count: int = 8) -> BankDocument:
    items = [an_item(f"L{n}", "single", answer=["A"], id=f"L{n}") for n in range(count)]
    return parse_bank(canonical({"bank": "own", "title": {"zh": "校本", "en": ""}, "items": items}))


def test_the_local_bank_is_for_nothing_until_signed_policy_says_so(desk: DeskRoom) -> None:
    bank, own = sample_bank(), local_bank(200)  # so many that a paper without any is beyond chance
    for session, share, most in (("S-2", 0, 0), ("S-3", 20, 3)):
        plan(desk, session, bank, own, local_bank_share=share)
        conduct.open_checkin(desk.db, session, opened(desk, session), BY)
        counts = [
            sum(entry["id"].startswith("L") for entry in attempt.paper["parts"][0]["items"])
            for attempt in sessions.attempts(desk.db, session).values()
        ]
        assert max(counts) <= most
    assert sum(counts) > 0


def test_ids_that_stand_in_both_banks_are_refused() -> None:
    bank = sample_bank()
    twin = parse_bank(
        canonical({"bank": "own", "title": {"zh": "校本"}, "items": [an_item("S0001", "single", answer=["A"])]})
    )
    with pytest.raises(BadInput) as clash:
        joined(bank, twin)
    assert clash.value.code == "bank_clash"


@given(st.sets(st.integers(0, 300)), st.integers(0, 300))
def test_a_list_of_ids_packs_and_unpacks(numbers: set[int], size: int) -> None:
    everything = [f"i{n:03}" for n in range(size)]
    ids = {f"i{n:03}" for n in numbers if n < size}
    packed = papers.pack_ids(ids, reversed(everything))
    assert papers.unpack_ids(packed, everything) == sorted(ids)
    if ids:
        with pytest.raises(ValueError):
            papers.unpack_ids(packed, [f"i{n:04}" for n in range(size + 9)])


# ---- drawing again


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_result_gives_the_same_bytes_on_another_machine(desk: DeskRoom, tmp_path: Path) -> None:
    own = local_bank()
    sat_through(desk, "S-2", bank=sample_bank(), local=own, local_bank_share=20)
    blueprint = sample_bank().blueprints[0].model_copy(update={"rest_sessions": 3}).model_dump()
    attempt, files = sat_through(desk, "S-3", bank=sample_bank(), local=own, blueprint=blueprint, local_bank_share=20)
    stored = canonical(sessions.attempt(desk.db, attempt).paper)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    banks = []
    for document in (own, sample_bank()):  # in whatever order they are named
        banks += ["--bank", elsewhere / f"{document.bank}.json"]
        (elsewhere / f"{document.bank}.json").write_bytes(content_of(document))
    root = desk.config.paths.trust / "root.pub"
    replayed = 0
    for file in files:
        copy = elsewhere / file.name
        copy.write_bytes(file.read_bytes())
        out = elsewhere / "paper.json"
        done = run("paper", "replay", "--result", copy, *banks, "--root", root, "--out", out, "--json")
        assert done.exit_code == 0, done.output
        answer = json.loads(done.output)
        assert answer["match"] and answer["result_verified"]
        if answer["attempt"] == attempt:
            assert out.read_bytes() == stored
            replayed += 1
    assert replayed == 1
    unchecked = run("paper", "replay", "--result", copy, *banks)
    assert unchecked.exit_code == 0 and "SIGNATURE NOT CHECKED" in unchecked.output and "没有核验" in unchecked.output
    told = json.loads(run("paper", "replay", "--result", copy, *banks, "--json").output)
    assert (told["result_verified"], told["signature_checked"]) == (None, False)
    assert run("paper", "replay", "another", "--result", copy, *banks).exit_code == 2
    assert run("paper", "replay", "--result", copy).exit_code == 2
    assert run("paper", "replay").exit_code == 2


def test_a_changed_bank_is_named(desk: DeskRoom, tmp_path: Path) -> None:
    _, files = sat_through(desk, "S-2", bank=sample_bank())
    document = json.loads(content_of(sample_bank()))
    document["items"][0]["stem"] += "？"
    changed = tmp_path / "changed.json"
    changed.write_bytes(canonical(document))
    done = run("paper", "replay", "--result", files[0], "--bank", changed)
    assert done.exit_code == 1
    assert "bank sample-safety" in done.output
    del document["items"][0]
    changed.write_bytes(canonical(document))
    assert run("paper", "replay", "--result", files[0], "--bank", changed).exit_code == 1


def test_a_changed_result_is_not_believed(desk: DeskRoom, tmp_path: Path) -> None:
    _, files = sat_through(desk, "S-2", bank=sample_bank())
    outer = json.loads(files[0].read_bytes())
    payload = json.loads(base64.b64decode(outer["result"]["payload"]))
    payload["paper"]["seed"] = "0" * 64
    outer["result"]["payload"] = base64.b64encode(canonical(payload)).decode()
    forged, bank = tmp_path / "forged.json", tmp_path / "bank.json"
    forged.write_bytes(canonical(outer))
    bank.write_bytes(content_of(sample_bank()))
    root = desk.config.paths.trust / "root.pub"
    done = run("paper", "replay", "--result", forged, "--bank", bank, "--root", root, "--json")
    assert done.exit_code == 1
    assert json.loads(done.output)["result_verified"] is False


def test_in_the_room_an_attempt_is_compared_with_the_stored_paper(desk: DeskRoom, tmp_path: Path) -> None:
    attempt, _ = sat_through(desk, "S-2", bank=marked_bank())
    recorded, session = recorded_here(desk.db, attempt)
    bank = open_bank(desk.identity, desk.config.paths.bundles, session, whenever=True)
    done = replay(recorded, [bank])
    assert done.match
    assert done.paper == recorded.stored
    config = tmp_path / "examroom.toml"
    config.write_text(to_toml(desk.config))
    here = ("--config", config, "paper", "replay", attempt)
    assert run(*here).exit_code == 0
    assert run(*here, "--bank", desk.config.paths.bundles / "marked.bundle").exit_code == 0
    assert run("--config", config, "paper", "replay", "nobody").exit_code == 2
    altered = json.loads(recorded.stored or b"")
    altered["parts"][0]["items"][0]["order"].reverse()
    desk.db.execute("UPDATE papers SET paper = ? WHERE attempt_id = ?", (canonical(altered).decode(), attempt))
    recorded, _ = recorded_here(desk.db, attempt)
    assert replay(recorded, [bank]).difference == "paper: parts.0.items.0.order.0"
    said = run(*here)
    assert said.exit_code == 1
    assert "parts.0.items.0.order.0" in said.output


def test_a_paper_of_an_older_version_is_said_to_be_one(desk: DeskRoom) -> None:
    attempt, files = sat_through(desk, "S-2", bank=marked_bank())
    desk.db.execute("UPDATE sessions SET draw = NULL")
    recorded, _ = recorded_here(desk.db, attempt)
    with pytest.raises(BadInput) as unrecorded:
        replay(recorded, [marked_bank()])
    assert unrecorded.value.code == "replay_unrecorded"
    assert recorded_in(files[0].read_bytes()).section["bank_sha256"] == fingerprint(marked_bank())
    with pytest.raises(BadInput):
        recorded_in(b"no result")


def test_a_bank_has_one_fingerprint_however_it_came() -> None:
    bank = sample_bank()
    assert fingerprint(parse_bank(content_of(bank))) == fingerprint(bank)
    other = parse_bank(content_of(bank).replace("班长".encode(), "组长".encode(), 1))
    assert fingerprint(other) != fingerprint(bank)


def test_a_room_of_the_first_version_is_migrated(tmp_path: Path) -> None:
    db = open_room(tmp_path / "room.db")
    columns = {row["name"] for row in db.execute("SELECT name FROM pragma_table_info('sessions')")}
    assert {"local_bank_file", "local_bank_id", "local_bank_version", "draw"} <= columns
    db.close()
