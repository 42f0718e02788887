"""Each finding is found where it is, and nowhere else; the time grows as the bank does."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest

from edge.bank import near
from edge.bank.build import content_of, sample_bank
from edge.bank.lint import Finding, errors, lint
from edge.bank.model import BankDocument
from edge.domain.reasons import REASONS

BASE: dict[str, Any] = json.loads(content_of(sample_bank()))
SINGLE: dict[str, Any] = next(item for item in BASE["items"] if item["type"] == "single")
WORDS = [
    "脚手架",
    "立杆",
    "横杆",
    "扫地杆",
    "连墙件",
    "安全帽",
    "安全带",
    "吊钩",
    "基坑",
    "模板",
    "钢筋",
    "电焊",
    "气瓶",
    "洞口",
    "信号",
    "验收",
    "交底",
    "间距",
    "高度",
    "毫米",
]


def phrase(chance: random.Random, length: int) -> str:
    return "".join(chance.choice(WORDS) for _ in range(length))


def single(number: int, chance: random.Random | None = None, **change: Any) -> dict[str, Any]:
    """A single choice like no other, with its key no longer than the rest."""
    chance = chance or random.Random(number)
    options = [{"key": key, "text": phrase(chance, 3) + f"{number}{key}"} for key in "ABCD"]
    fields = {"id": f"B{number}", "stem": phrase(chance, 9), "template": f"t{number}", "options": options}
    return SINGLE | fields | {"answer": ["A"], "sample": False} | change


def bank(*items: dict[str, Any], **change: Any) -> BankDocument:
    document = {"bank": "b", "title": {"zh": "题库"}, "items": list(items)} | change
    return BankDocument.model_validate(document)


def found(made: BankDocument, **options: Any) -> list[tuple[str, tuple[str, ...]]]:
    findings = lint(made, **options)
    for finding in findings:
        assert "{" not in finding.sentence("zh") + finding.sentence("en")
        assert finding.as_json()["severity"] in ("error", "warning")
    return [(finding.code, finding.items) for finding in findings]


def test_the_sample_has_no_errors_and_a_clean_bank_no_findings() -> None:
    assert errors(lint(sample_bank())) == []
    assert found(bank(*(single(n) for n in range(30)))) == []


def test_duplicates_and_contradictions() -> None:
    one = single(1)
    shuffled = one["options"][::-1]
    same = one | {"id": "S", "template": "s", "stem": one["stem"] + " 。", "options": shuffled}
    other = one | {"id": "O", "template": "o", "answer": ["B"]}
    assert ("bank_duplicate", ("B1", "S")) in found(bank(one, same))
    assert ("bank_contradiction", ("B1", "O")) in found(bank(one, other))
    close = one | {"id": "N", "template": "n", "stem": one["stem"] + "吗"}
    assert found(bank(one, single(2), close)) == [("bank_near_duplicate", ("B1", "N"))]


def short(number: int, stem: str, **change: Any) -> dict[str, Any]:
    options = [{"key": "A", "text": "正确"}, {"key": "B", "text": "错误"}]
    return single(number, type="judgement", stem=stem, options=options, answer=["AB"[number % 2]]) | change


ALIKE = [
    ("高处作业人员必须系好安全带。", "高处作业人员应当系好安全带。"),
    ("脚手架拆除时应当由上而下逐层进行。", "脚手架拆除时必须由上而下逐层进行。"),
    ("进入施工现场必须戴好安全帽。", "进入施工现场应该戴好安全帽。"),
    ("六级及以上大风应停止架上作业。", "六级以上大风必须停止架上作业。"),
    ("吊钩下面不应站人。", "吊钩下面应站人。"),
]


def test_short_items_are_compared_sign_by_sign() -> None:
    made = [short(2 * n + at, stem) for n, pair in enumerate(ALIKE) for at, stem in enumerate(pair)]
    others = [short(50 + n, stem) for n, stem in enumerate(("安全带应高挂低用。", "红色表示禁止。", "红色表示警告。"))]
    # another test asks it too, which is its own business
    others.append(short(60, ALIKE[0][0].replace("系好", "要系"), test="theory"))
    assert found(bank(*made, *others)) == [("bank_near_duplicate", (f"B{2 * n}", f"B{2 * n + 1}")) for n in range(5)]
    assert not [one for one in lint(sample_bank()) if one.code == "bank_near_duplicate"]


def asked(number: int, stem: str, key: str, **change: Any) -> dict[str, Any]:
    """A single choice with this key and distractors of its own."""
    options = [{"key": "A", "text": key}, *single(number)["options"][1:]]
    return single(number, stem=stem, options=options) | change


def test_what_asks_the_same_is_found_under_other_distractors_types_and_units() -> None:
    rope = "使用安全绳时，绳钩应当挂在什么地方？"
    height = fill(20, units=["m"]) | {"stem": "临边防护栏杆的上杆离地面____。"}
    height["blanks"][0]["value"] = "1.2"
    rail = [height, asked(21, "临边防护栏杆的上杆离地面（ ）。", "1.2米")]
    rail.append(asked(22, "临边防护栏杆的上杆离地面应为（ ）。", "１.２ m"))
    made = [
        *(asked(1, rope, "上方牢固的构件"), asked(2, rope, "上方牢固的构件")),
        *(
            asked(3, "开关箱里的保护器动作电流是多少", "30毫安"),
            asked(4, "开关箱里的保护器，动作电流是多少？", "30 mA"),
        ),
        *rail,
        *(short(30, "安全带应高挂低用。"), asked(31, "安全带使用时应当（ ）", "高挂低用")),
        # a frame is no question, and another number or another test is another matter
        *(asked(40 + n, "下列关于脚手架的说法，正确的是", phrase(random.Random(n), 4)) for n in range(5)),
        *(asked(50 + n, "下列做法正确的是", phrase(random.Random(60 + n), 4)) for n in range(5)),
        *(asked(70, "扣件拧紧力矩不应小于多少", "40"), asked(71, "扣件拧紧力矩不应大于多少", "65")),
        asked(80, rope, "上方牢固的构件", test="theory"),
    ]
    assert set(found(bank(*made))) == {
        ("bank_same_stem", ("B1", "B2")),
        ("bank_same_stem", ("B3", "B4")),
        ("bank_same_stem", ("B20", "B21")),
        ("bank_near_duplicate", ("B20", "B22")),
        ("bank_near_duplicate", ("B30", "B31")),
    }
    twins = [asked(90, "下列做法正确的是", "先断电再救人"), asked(91, "下列哪种做法正确", "先断电，再救人")]
    assert found(bank(*twins)) == [("bank_near_duplicate", ("B90", "B91"))]


@pytest.mark.parametrize("size", [300, pytest.param(3000, marks=pytest.mark.long)])
def test_planted_twins_are_found_in_a_bank_of_one_mould(size: int) -> None:
    """Every item begins and ends alike, as those of a template do: that alone brings none together."""
    chance = random.Random(size)
    items = []
    for number in range(size):
        options = [{"key": key, "text": phrase(chance, 4)} for key in "ABCD"]
        stem = f"下列关于{phrase(chance, 10)}的说法，正确的是"
        items.append(single(number, chance) | {"stem": stem, "options": options})
    chosen = chance.sample(range(size), 20)
    twins = [items[n] | {"id": f"T{n}", "stem": items[n]["stem"].replace("正确的是", "哪一项正确")} for n in chosen]
    made = bank(*items, *twins)
    assert {(a, b) for a, b, _ in near.alike(made.items)} == {(f"B{n}", f"T{n}") for n in chosen}


def test_few_pairs_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in comparisons, not seconds: of the 4,500,000 pairs of a bank of one mould, a few for each item."""
    chance, calls, inner = random.Random(7), [], near._runs
    made = bank(*(single(n, chance, stem=f"下列关于{phrase(chance, 10)}的说法，正确的是") for n in range(3000)))

    def counted(text: str, length: int) -> set[str]:
        calls.append(length)
        return inner(text, length)

    monkeypatch.setattr(near, "_runs", counted)
    near.alike(made.items)
    assert len(calls) < 30 * len(made.items)


def fill(number: int, **blank: Any) -> dict[str, Any]:
    fields = {name: value for name, value in single(number).items() if name not in ("options", "answer")}
    stem = phrase(random.Random(number), 9) + "____"
    return fields | {"type": "fill", "stem": stem, "blanks": [{"kind": "number", "value": "5", **blank}]}


def test_a_unit_that_is_asked_has_a_wrong_choice_and_a_right_one() -> None:
    asked = [
        fill(1, units=["mm", "毫米"], shown_units=["ＭＭ", "毫米"]),
        fill(2, units=["mm"], shown_units=["mm", "m"]),
    ]
    assert found(bank(*asked, fill(3, units=["mm"]))) == [("bank_unit_certain", ("B1",))]
    cased = fill(4, units=["MPa"], shown_units=["MPa", "mPa", "kPa"])
    assert found(bank(cased)) == [("bank_unit_case", ("B4",))]
    for units, shown in ((["mm"], ["cm"]), ([], ["cm"]), (["mm"], ["mm", "mm"]), (["MPa"], ["mPa", "kPa"])):
        with pytest.raises(ValueError, match="units to choose from"):
            bank(fill(1, units=units, shown_units=shown))


def test_blueprints_out_of_reach() -> None:
    blueprint = json.loads(json.dumps(BASE["blueprints"][0]))
    assert "bank_short" in [code for code, _ in found(bank(single(1), blueprints=[blueprint]))]
    reachable = [item | {"sample": False} for item in BASE["items"]]
    codes = [code for code, _ in found(bank(*reachable, blueprints=[blueprint], media=BASE["media"]))]
    assert "bank_short" not in codes


def test_media() -> None:
    data = base64.b64encode(b"\x89PNG\r\n\x1a\n....").decode()
    good, bad = {"type": "image/png", "data": data}, {"type": "image/jpeg", "data": data}
    item = single(1, media=[{"name": "a", "alt": "x"}, {"name": "b", "alt": "x"}])
    assert found(bank(item, media={"a": good, "b": bad, "c": good})) == [
        ("bank_media_bad", ("B1",)),
        ("bank_media_unused", ()),
    ]


def test_exposure() -> None:
    items = [single(n, exposure=n) for n in range(4)]
    assert found(bank(*items)) == []
    assert found(bank(*items), max_exposure=2) == [("bank_exposed", ("B3",))]
    assert found(bank(*items), max_exposure=1) == [("bank_exposed", ("B2", "B3"))]


def judgement(number: int, answer: str) -> dict[str, Any]:
    options = [{"key": "A", "text": "正确"}, {"key": "B", "text": "错误"}]
    return single(number, type="judgement", options=options, answer=[answer])


def test_habits_that_can_be_guessed() -> None:
    assert found(bank(*(judgement(n, "A") for n in range(20)))) == [("bank_lopsided", ())]
    assert found(bank(*(judgement(n, "AB"[n % 2]) for n in range(20)))) == []
    assert found(bank(*(judgement(n, "A") for n in range(5)))) == []
    long = []
    for n in range(12):
        item = single(n)
        item["options"][0]["text"] += "这是最长的一个选项"
        long.append(item)
    assert [code for code, _ in found(bank(*long))] == ["bank_longest"]


def test_translations() -> None:
    words = {"stem": "x", "options": {key: key for key in "ABCD"}}
    assert found(bank(single(1, translations={"en": words}))) == []
    lacking = words | {"options": {"A": "a"}}
    assert found(bank(single(1, translations={"en": lacking}))) == [("bank_translation", ("B1",))]
    fill = {name: SINGLE[name] for name in ("test", "topic", "difficulty", "points", "source", "template")}
    fill |= {"id": "F", "type": "fill", "stem": "____", "blanks": [{"kind": "text", "accepted": ["x"]}]}
    assert found(bank(fill | {"translations": {"en": {"stem": "no blank"}}})) == [("bank_translation", ("F",))]
    assert found(bank(fill | {"blanks": [{"kind": "text", "accepted": ["　 "]}]})) == [("bank_key_empty", ("F",))]


def test_options_that_speak_of_others_and_samples() -> None:
    for text in ("以上都对", "以上都不正确", "A和B", "All of the above"):
        item = single(1)
        item["options"][3]["text"] = text
        assert found(bank(item)) == [("bank_option_refers", ("B1",))], text
    item = single(1)
    item["options"][3]["text"] = "2 米以上"
    assert found(bank(item)) == []
    assert found(bank(single(1, sample=True))) == [("bank_sample_mixed", ("B1",))]


def test_errors_come_first_and_every_code_has_its_sentence() -> None:
    one = single(1, sample=True)
    findings = lint(bank(one, one | {"id": "S"}))
    assert [finding.severity for finding in findings] == ["error", "warning"]
    assert all(finding.code in REASONS for finding in findings)
    assert Finding("bank_template", ("a",) * 20, "x").sentence("en").count("a, a") <= 8
