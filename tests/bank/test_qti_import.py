"""Packages of other programs, in QTI 2.1, 2.2 and 3.0: what maps, and what fails closed by name."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edge.bank.imports import Imported, Wishes, import_files
from edge.bank.items import CaseItem, ChoiceItem, FillItem, HotspotItem, MatchItem, OrderItem
from edge.cli import main
from support.banks import png

V21 = "http://www.imsglobal.org/xsd/imsqti_v2p1"
V22 = "http://www.imsglobal.org/xsd/imsqti_v2p2"
V30 = "http://www.imsglobal.org/xsd/imsqtiasi_v3p0"
RP = "http://www.imsglobal.org/question/qti_v2p1/rptemplates/"
MATCH = f'<responseProcessing template="{RP}match_correct"/>'
DEFAULTS: dict[str, Any] = {
    "test": "theory",
    "topic": "脚手架",
    "difficulty": 2,
    "source": {"standard": "S", "title": "T", "edition": "1", "clause": "2"},
}


def declared(name: str, base: str, *correct: str, cardinality: str = "single", more: str = "") -> str:
    values = "".join(f"<value>{value}</value>" for value in correct)
    inner = f"<correctResponse>{values}</correctResponse>" if correct else ""
    return (
        f'<responseDeclaration identifier="{name}" cardinality="{cardinality}" baseType="{base}">{inner}{more}'
        "</responseDeclaration>"
    )


def item(head: str, body: str, processing: str = MATCH, space: str = V21, name: str = "q1", extra: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><assessmentItem xmlns="{space}" identifier="{name}" title="t" '
        f'adaptive="false" timeDependent="false"{extra}>{head}'
        '<outcomeDeclaration identifier="SCORE" cardinality="single" baseType="float"/>'
        f"<itemBody>{body}</itemBody>{processing}</assessmentItem>"
    )


def choice(*choices: str, attrs: str = 'maxChoices="1"', prompt: str = "") -> str:
    options = "".join(f'<simpleChoice identifier="c{n}">{text}</simpleChoice>' for n, text in enumerate(choices))
    inner = f"<prompt>{prompt}</prompt>" if prompt else ""
    return f'<choiceInteraction responseIdentifier="RESPONSE" {attrs}>{inner}{options}</choiceInteraction>'


CHOICE = choice("十", "九", "八")
ONE = declared("RESPONSE", "identifier", "c1")


def write_package(folder: Path, *documents: str, files: dict[str, bytes] | None = None) -> Path:
    path = folder / "package.zip"
    with zipfile.ZipFile(path, "w") as archive:
        resources = ""
        for number, document in enumerate(documents):
            archive.writestr(f"items/q{number}.xml", document)
            resources += (
                f'<resource identifier="R{number}" type="imsqti_item_xmlv2p1" href="items/q{number}.xml">'
                f'<file href="items/q{number}.xml"/></resource>'
            )
        for name, content in (files or {}).items():
            archive.writestr(name, content)
        archive.writestr(
            "imsmanifest.xml",
            f'<manifest xmlns="http://www.imsglobal.org/xsd/imscp_v1p1" identifier="M"><resources>{resources}'
            "</resources></manifest>",
        )
    return path


def run(folder: Path, *documents: str, files: dict[str, bytes] | None = None, **wishes: Any) -> Imported:
    path = write_package(folder, *documents, files=files)
    given = {"name": "foreign", "title": {"zh": "外来"}, "defaults": DEFAULTS} | wishes
    return import_files([path], Wishes(**given), lambda _label: lambda _done, _all: None)


def only(folder: Path, document: str, **more: Any) -> Any:
    done = run(folder, document, **more)
    assert done.bank is not None, [(p.where, p.sentence("en")) for p in done.problems]
    return done.bank.items[0]


@pytest.mark.parametrize("space", [V21, V22])
def test_single_choice(tmp_path: Path, space: str) -> None:
    found = only(tmp_path, item(ONE, f"<p>几个？\n  再想想</p>{CHOICE}", space=space))
    assert isinstance(found, ChoiceItem)
    assert (found.type, found.stem, found.answer) == ("single", "几个？再想想", ["B"])
    assert [(option.key, option.text) for option in found.options] == [("A", "十"), ("B", "九"), ("C", "八")]
    assert (found.topic, found.template, found.points) == ("脚手架", "q1", 1)


def test_judgement_is_told_by_its_two_options(tmp_path: Path) -> None:
    assert only(tmp_path, item(ONE, choice("正确", "错误", prompt="对吗"))).type == "judgement"
    assert only(tmp_path, item(ONE, choice("上", "下", prompt="对吗"))).type == "single"


def test_multiple(tmp_path: Path) -> None:
    head = declared("RESPONSE", "identifier", "c2", "c0", cardinality="multiple")
    found = only(tmp_path, item(head, choice("a", "b", "c", attrs='maxChoices="0"', prompt="选")))
    assert (found.type, sorted(found.answer), found.rule) == ("multiple", ["A", "C"], "all-or-nothing")


def test_version_three_under_its_own_names(tmp_path: Path) -> None:
    document = (
        f'<qti-assessment-item xmlns="{V30}" identifier="_9a" title="t" time-dependent="false">'
        '<qti-response-declaration identifier="RESPONSE" cardinality="ordered" base-type="identifier">'
        "<qti-correct-response><qti-value>x</qti-value><qti-value>y</qti-value></qti-correct-response>"
        "</qti-response-declaration><qti-item-body><p>排序 10<sup>3</sup></p>"
        '<qti-order-interaction response-identifier="RESPONSE"><qti-simple-choice identifier="y">乙</qti-simple-choice>'
        '<qti-simple-choice identifier="x">甲</qti-simple-choice></qti-order-interaction></qti-item-body>'
        '<qti-response-processing template="https://purl.imsglobal.org/spec/qti/v3p0/rptemplates/match_correct.xml"/>'
        "</qti-assessment-item>"
    )
    found = only(tmp_path, document)
    assert isinstance(found, OrderItem)
    assert (found.id, found.answer, found.stem) == ("9a", ["B", "A"], "排序 10³")


def test_blanks_words_and_numbers(tmp_path: Path) -> None:
    head = declared("A", "string", "五") + declared("B", "float", "12.50")
    body = (
        '<p>写 <textEntryInteraction responseIdentifier="A"/> 和 <textEntryInteraction responseIdentifier="B"/>。</p>'
    )
    add = (
        '<setOutcomeValue identifier="SCORE"><sum><variable identifier="SCORE"/>'
        '<baseValue baseType="float">1</baseValue></sum></setOutcomeValue>'
    )
    words = "".join(
        f'<stringMatch caseSensitive="false"><variable identifier="A"/><baseValue baseType="string">{text}</baseValue>'
        "</stringMatch>"
        for text in ("五", "5")
    )
    number = (
        '<equal toleranceMode="absolute" tolerance="0.5 0.5"><variable identifier="B"/>'
        '<correct identifier="B"/></equal>'
    )
    apart = "".join(
        f"<responseCondition><responseIf>{test}{add}</responseIf></responseCondition>"
        for test in (f"<or>{words}</or>", number)
    )
    found = only(tmp_path, item(head, body, f"<responseProcessing>{apart}</responseProcessing>"))
    assert isinstance(found, FillItem)
    assert found.stem == "写 ____ 和 ____。"
    text, value = found.blanks
    assert text.accepted == ["五", "5"]  # type: ignore[union-attr]
    assert (str(value.value), str(value.tolerance), found.rule) == ("12.50", "0.5", "partial")  # type: ignore[union-attr]
    whole = f"<responseCondition><responseIf><and><or>{words}</or>{number}</and>{add}</responseIf></responseCondition>"
    joint = only(tmp_path, item(head, body, f"<responseProcessing>{whole}</responseProcessing>"))
    assert joint.rule == "all-or-nothing"
    assert (found.points, joint.points) == (2, 1)


def test_accepted_variants_by_an_even_mapping(tmp_path: Path) -> None:
    def mapped(worth: str) -> str:
        mapping = (
            f'<mapping defaultValue="0"><mapEntry mapKey="五" mappedValue="1"/>'
            f'<mapEntry mapKey="5" mappedValue="{worth}"/></mapping>'
        )
        head = declared("RESPONSE", "string", "五", more=mapping)
        body = '<p>写 <textEntryInteraction responseIdentifier="RESPONSE"/></p>'
        return item(head, body, f'<responseProcessing template="{RP}map_response"/>')

    assert only(tmp_path, mapped("1")).blanks[0].accepted == ["五", "5"]
    assert [p.code for p in run(tmp_path, mapped("0.5")).problems] == ["bank_qti_map"]


def test_match(tmp_path: Path) -> None:
    def associable(name: str, text: str) -> str:
        return f'<simpleAssociableChoice identifier="{name}" matchMax="0">{text}</simpleAssociableChoice>'

    sets = "".join(
        f"<simpleMatchSet>{''.join(associable(*pair) for pair in pairs)}</simpleMatchSet>"
        for pairs in ((("m", "甲"), ("n", "乙")), (("x", "1"), ("y", "2"), ("z", "3")))
    )
    body = f'<matchInteraction responseIdentifier="RESPONSE"><prompt>连</prompt>{sets}</matchInteraction>'
    found = only(tmp_path, item(declared("RESPONSE", "directedPair", "m z", "n x", cardinality="multiple"), body))
    assert isinstance(found, MatchItem)
    assert (found.answer, found.rule) == ({"1": "C", "2": "A"}, "all-or-nothing")
    twice = item(declared("RESPONSE", "directedPair", "m z", "m x", "n x", cardinality="multiple"), body)
    assert [p.code for p in run(tmp_path, twice).problems] == ["bank_qti_match_many"]


def test_hotspots_in_thousandths_of_the_picture(tmp_path: Path) -> None:
    area = (
        '<areaMapping defaultValue="0"><areaMapEntry shape="circle" coords="100,75,20" mappedValue="1"/></areaMapping>'
    )
    body = (
        '<selectPointInteraction responseIdentifier="RESPONSE" maxChoices="1"><prompt>点</prompt>'
        '<object type="image/png" data="../img/图.png" width="200" height="150">图</object></selectPointInteraction>'
    )
    head = declared("RESPONSE", "point", cardinality="single", more=area)
    document = item(head, body, f'<responseProcessing template="{RP}map_response_point"/>')
    found = only(tmp_path, document, files={"img/图.png": png(1, 200, 150)})
    assert isinstance(found, HotspotItem)
    assert (found.aspect, found.regions[0].coords) == (750, [500, 500, 100])
    spots = "".join(
        f'<hotspotChoice identifier="h{n}" shape="rect" coords="{coords}"/>'
        for n, coords in enumerate(("0,0,100,50", "{other}"))
    )
    graphic = (
        '<hotspotInteraction responseIdentifier="RESPONSE" maxChoices="1"><prompt>点</prompt>'
        '<object type="image/png" data="../img/图.png">图</object>' + spots + "</hotspotInteraction>"
    )
    right = declared("RESPONSE", "identifier", "h0")
    apart = only(tmp_path, item(right, graphic.format(other="150,60,160,70")), files={"img/图.png": png(1, 200, 150)})
    assert apart.regions[0].coords == [0, 0, 500, 333]
    over = run(tmp_path, item(right, graphic.format(other="50,20,160,70")), files={"img/图.png": png(1, 200, 150)})
    assert [p.code for p in over.problems] == ["bank_qti_hotspots_overlap"]


def test_several_interactions_are_a_case(tmp_path: Path) -> None:
    add = (
        '<setOutcomeValue identifier="SCORE"><sum><variable identifier="SCORE"/>'
        '<baseValue baseType="float">2</baseValue></sum></setOutcomeValue>'
    )
    head = "".join(declared(name, "identifier", "c1") for name in ("R1", "R2"))
    rules = "".join(
        f'<responseCondition><responseIf><match><variable identifier="{n}"/><correct identifier="{n}"/></match>{add}'
        "</responseIf></responseCondition>"
        for n in ("R1", "R2")
    )
    parts = [choice("a", "b", prompt=f"第{n}问").replace('"RESPONSE"', f'"R{n}"') for n in (1, 2)]
    body = f'<div class="row"><p>一处工地。</p>{"".join(parts)}</div>'
    found = only(tmp_path, item(head, body, f"<responseProcessing>{rules}</responseProcessing>"))
    assert isinstance(found, CaseItem)
    assert (found.stem, found.points) == ("一处工地。", 4)
    assert [(sub.id, sub.stem, sub.points) for sub in found.items] == [("q1.1", "第1问", 2), ("q1.2", "第2问", 2)]
    bare = body.replace("<prompt>第2问</prompt>", "")
    done = run(tmp_path, item(head, bare, f"<responseProcessing>{rules}</responseProcessing>"))
    assert [p.code for p in done.problems] == ["bank_qti_case_text"]


TABLE = "<table><tr><td>1</td></tr></table>"
MATHML = '<math xmlns="http://www.w3.org/1998/Math/MathML"><mi>x</mi></math>'
TEMPLATED = '<templateDeclaration identifier="T" cardinality="single" baseType="integer"/>'
ODD = (
    "<responseProcessing><responseCondition><responseIf><gt><variable identifier='RESPONSE'/>"
    "<baseValue baseType='integer'>1</baseValue></gt><setOutcomeValue identifier='SCORE'>"
    "<baseValue baseType='float'>1</baseValue></setOutcomeValue></responseIf></responseCondition></responseProcessing>"
)
CLOSED = {
    "extended text": (ONE, '<extendedTextInteraction responseIdentifier="RESPONSE"/>', MATCH, "bank_qti_interaction"),
    "gap match": (ONE, '<gapMatchInteraction responseIdentifier="RESPONSE"/>', MATCH, "bank_qti_interaction"),
    "custom": (ONE, '<customInteraction responseIdentifier="RESPONSE"/>', MATCH, "bank_qti_interaction"),
    "none": (ONE, "<p>讲义</p>", MATCH, "bank_qti_no_interaction"),
    "map response": (ONE, CHOICE, f'<responseProcessing template="{RP}map_response"/>', "bank_qti_map"),
    "own template": (
        ONE,
        CHOICE,
        '<responseProcessing template="http://e/match_correct"/>',
        "bank_qti_processing",
    ),
    "odd rule": (ONE, CHOICE, ODD, "bank_qti_processing"),
    "not scored": (ONE, CHOICE, "", "bank_qti_unscored"),
    "templated": (ONE + TEMPLATED, CHOICE, MATCH, "bank_qti_element"),
    "table": (ONE, TABLE + CHOICE, MATCH, "bank_qti_element"),
    "formula": (ONE, f"<p>{MATHML}</p>{CHOICE}", MATCH, "bank_qti_element"),
    "index": (ONE, f"<p>x<sup>ab</sup></p>{CHOICE}", MATCH, "bank_qti_element"),
    "fixed": (ONE, CHOICE.replace('identifier="c2"', 'identifier="c2" fixed="true"'), MATCH, "bank_qti_fixed"),
    "key unknown": (declared("RESPONSE", "identifier", "z"), CHOICE, MATCH, "bank_qti_answer"),
    "no key": (declared("RESPONSE", "identifier"), CHOICE, MATCH, "bank_qti_no_answer"),
    "undeclared": ("", CHOICE, MATCH, "bank_qti_undeclared"),
    "picture missing": (ONE, '<p><img src="no.png" alt="x"/></p>' + CHOICE, MATCH, "bank_file_missing"),
    "picture outside": (ONE, '<p><img src="../../no.png" alt="x"/></p>' + CHOICE, MATCH, "bank_file_outside"),
    "picture by net": (ONE, '<p><img src="http://e/n.png" alt="x"/></p>' + CHOICE, MATCH, "bank_file_outside"),
    "picture undescribed": (ONE, '<p><img src="../a.png" alt=""/></p>' + CHOICE, MATCH, "bank_qti_alt"),
    "picture in a sentence": (
        ONE,
        '<p>见<img src="../a.png" alt="x"/>图</p>' + CHOICE,
        MATCH,
        "bank_qti_inline_picture",
    ),
    "no stem": (ONE, CHOICE, MATCH, "bank_field_empty"),
    "nine options": (ONE, choice(*"abcdefghi", prompt="x"), MATCH, "bank_qti_options"),
    "one right of several": (
        declared("RESPONSE", "identifier", "c1", cardinality="multiple"),
        "<p>x</p>" + CHOICE,
        MATCH,
        "bank_answer_two",
    ),
}


@pytest.mark.parametrize("name", CLOSED)
def test_what_cannot_be_taken_over_fails_closed_by_name(tmp_path: Path, name: str) -> None:
    head, body, processing, code = CLOSED[name]
    good = item(ONE, f"<p>好题</p>{CHOICE}", name="good")
    done = run(tmp_path, good, item(head, body, processing, name="bad"), files={"a.png": png(1)})
    assert done.bank is None
    assert [(p.code, p.item) for p in done.problems] == [(code, "bad")]
    assert done.problems[0].where.startswith("package.zip:items/q1.xml")
    assert done.problems[0].sentence("zh") != done.problems[0].sentence("en")
    assert "{" not in done.problems[0].sentence("zh") + done.problems[0].sentence("en")


def test_other_versions_and_adaptive_items(tmp_path: Path) -> None:
    old = item(ONE, CHOICE, space="http://www.imsglobal.org/xsd/imsqti_v2p0")
    adaptive = item(ONE, "<p>x</p>" + CHOICE).replace('adaptive="false"', 'adaptive="true"')
    done = run(tmp_path, old, adaptive, "<questestinterop/>", "<broken")
    codes = [problem.code for problem in done.problems]
    assert codes == ["bank_qti_version", "bank_qti_adaptive", "bank_qti_version", "bank_xml_broken"]


def test_all_problems_stand_in_one_list(tmp_path: Path) -> None:
    wrong = [item(*CLOSED[name][:3], name=f"x{n}") for n, name in enumerate(CLOSED)]
    done = run(tmp_path, *wrong, files={"a.png": png(1)})
    assert sorted(problem.item for problem in done.problems) == sorted(f"x{n}" for n in range(len(CLOSED)))


def test_what_a_package_does_not_say_is_reported_or_given(tmp_path: Path) -> None:
    document = item(ONE, f"<p>题</p>{CHOICE}")
    done = run(tmp_path, document, defaults={})
    assert {(p.code, p.facts["field"]) for p in done.problems} == {
        ("bank_field_missing", name) for name in ("test", "topic", "difficulty", "source")
    }
    assert only(tmp_path, document, new_ids="X").id == "X0001"
    twice = run(tmp_path, document, document)
    assert [problem.code for problem in twice.problems] == ["bank_item_twice"]
    assert [problem.code for problem in run(tmp_path, document, name=None).problems] == ["bank_name_missing"]


def test_one_item_alone(tmp_path: Path) -> None:
    file = tmp_path / "q.xml"
    file.write_text(item(ONE, f"<p>题</p>{CHOICE}"), encoding="utf-8")
    wishes = Wishes(name="one", title={"zh": "一"}, defaults=DEFAULTS)
    done = import_files([file], wishes, lambda _label: lambda _done, _all: None)
    assert done.bank is not None and done.bank.items[0].stem == "题"


@pytest.mark.parametrize(
    ("mapping", "taken"),
    [
        ('<mapEntry mapKey="c1" mappedValue="1"/><mapEntry mapKey="c0" mappedValue="0"/>', 1),
        ('<mapEntry mapKey="c1" mappedValue="2"/>', 2),
        ('<mapEntry mapKey="c1" mappedValue="0.5"/>', "bank_qti_points"),
        ('<mapEntry mapKey="c1" mappedValue="1"/><mapEntry mapKey="c0" mappedValue="0.5"/>', "bank_qti_map"),
        ('<mapEntry mapKey="c1" mappedValue="1"/><mapEntry mapKey="c0" mappedValue="-1"/>', "bank_qti_map"),
        ('<mapEntry mapKey="c1" mappedValue="-1"/>', "bank_qti_map"),
        ('<mapEntry mapKey="c2" mappedValue="1"/>', "bank_qti_map"),
    ],
)
def test_one_choice_that_is_worth_everything_is_the_right_one(tmp_path: Path, mapping: str, taken: int | str) -> None:
    head = ONE.replace("</responseDeclaration>", f'<mapping defaultValue="0">{mapping}</mapping></responseDeclaration>')
    body = "<p>几根？</p>" + CHOICE
    done = run(tmp_path, item(head, body, f'<responseProcessing template="{RP}map_response"/>'))
    if isinstance(taken, int):
        assert done.bank is not None and done.bank.items[0].key().answer == ("B",)
        assert done.bank.items[0].points == taken
    else:
        assert [problem.code for problem in done.problems] == [taken]


def gives(worth: str) -> str:
    test = '<match><variable identifier="RESPONSE"/><correct identifier="RESPONSE"/></match>'
    score = f'<setOutcomeValue identifier="SCORE"><baseValue baseType="float">{worth}</baseValue></setOutcomeValue>'
    rule = f"<responseCondition><responseIf>{test}{score}</responseIf></responseCondition>"
    return f"<responseProcessing>{rule}</responseProcessing>"


@pytest.mark.parametrize(
    ("worth", "taken"), [("5", 5), ("1.0", 1), ("0.5", None), ("1.5", None), ("101", None), ("1e20", None)]
)
def test_points_are_what_the_item_gives(tmp_path: Path, worth: str, taken: int | None) -> None:
    mapping = f'<mapping defaultValue="0"><mapEntry mapKey="五" mappedValue="{worth}"/></mapping>'
    word = declared("RESPONSE", "string", "五", more=mapping)
    entry = '<p>写 <textEntryInteraction responseIdentifier="RESPONSE"/></p>'
    whole = item(ONE, "<p>几根？</p>" + CHOICE, gives(worth), name="whole")
    mapped = item(word, entry, f'<responseProcessing template="{RP}map_response"/>', name="mapped")
    # what the bank's owner says is for items that do not say
    plain = item(ONE, "<p>几步？</p>" + CHOICE, name="plain")
    done = run(tmp_path, whole, mapped, plain, defaults=DEFAULTS | {"points": 3})
    if taken is None:
        assert [(p.item, p.code) for p in done.problems] == [(n, "bank_qti_points") for n in ("whole", "mapped")]
    else:
        assert done.bank is not None and [one.points for one in done.bank.items] == [taken, taken, 3]


def test_a_score_that_starts_above_nothing(tmp_path: Path) -> None:
    for start, codes in (("0.0", []), ("1", ["bank_qti_start"])):
        document = item(ONE, "<p>几根？</p>" + CHOICE).replace(
            'baseType="float"/>',
            f'baseType="float"><defaultValue><value>{start}</value></defaultValue></outcomeDeclaration>',
            1,
        )
        assert [problem.code for problem in run(tmp_path, document).problems] == codes


def test_blanks_that_are_right_together_beside_others_and_uneven_mappings(tmp_path: Path) -> None:
    """Equal shares would not be what the item gives."""
    entries = "".join(f'<textEntryInteraction responseIdentifier="{name}"/> ' for name in "ABC")
    match = {n: f'<match><variable identifier="{n}"/><correct identifier="{n}"/></match>' for n in "ABC"}
    add = (
        '<setOutcomeValue identifier="SCORE"><sum><variable identifier="SCORE"/>'
        '<baseValue baseType="float">1</baseValue></sum></setOutcomeValue>'
    )
    tests = (f"<and>{match['A']}{match['B']}</and>", match["C"])
    rules = "".join(f"<responseCondition><responseIf>{test}{add}</responseIf></responseCondition>" for test in tests)
    head = "".join(declared(name, "string", "x") for name in "ABC")
    joint = item(head, f"<p>写 {entries}</p>", f"<responseProcessing>{rules}</responseProcessing>", name="joint")
    head = "".join(
        declared(n, "string", "x", more=f'<mapping><mapEntry mapKey="x" mappedValue="{worth}"/></mapping>')
        for n, worth in zip("ABC", "112", strict=True)
    )
    total = "".join(f'<mapResponse identifier="{name}"/>' for name in "ABC")
    score = f'<setOutcomeValue identifier="SCORE"><sum>{total}</sum></setOutcomeValue>'
    uneven = item(head, f"<p>写 {entries}</p>", f"<responseProcessing>{score}</responseProcessing>", name="uneven")
    found = [(problem.item, problem.code) for problem in run(tmp_path, joint, uneven).problems]
    assert found == [("joint", "bank_qti_processing"), ("uneven", "bank_qti_weights")]


def test_other_programs_ways_to_name_a_file_and_to_lay_out_a_value(tmp_path: Path) -> None:
    """`xml:base`, a resource without href, and values on lines of their own."""
    values = declared("RESPONSE", "identifier", "\n  c1\n")
    picture = '<div xml:base="../img/"><p><img src="a.png" alt="一张图"/></p></div>'
    files = {"bank/items/q.xml": item(values, f"<p>几根？</p>{picture}{CHOICE}"), "bank/img/a.png": png(1)}
    path = tmp_path / "package.zip"

    def read(resource: str, base: str = "bank/") -> Imported:
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
            archive.writestr(
                "imsmanifest.xml",
                '<manifest xmlns="http://www.imsglobal.org/xsd/imscp_v1p1" identifier="M">'
                f'<resources xml:base="{base}">'
                f'<resource identifier="R" type="imsqti_item_xmlv2p1" xml:base="items/" {resource}</resource>'
                "</resources></manifest>",
            )
        wishes = Wishes(name="foreign", title={"zh": "外来"}, defaults=DEFAULTS)
        return import_files([path], wishes, lambda _label: lambda _done, _all: None)

    for resource in ('href="q.xml"><file href="q.xml"/>', '><file href="q.xml"/>'):
        done = read(resource)
        assert done.bank is not None, [(p.where, p.sentence("en")) for p in done.problems]
        assert isinstance(done.bank.items[0], ChoiceItem) and done.bank.items[0].answer == ["B"]
        assert [media.name for media in done.bank.items[0].media] == list(done.bank.media) == ["a.png"]
    for resource, base, code in (
        (">", "bank/", "bank_file_unnamed"),
        ('><file href="q.xml"/><file href="r.xml"/>', "bank/", "bank_file_unnamed"),
        ('href="q.xml">', "../bank/", "bank_file_outside"),
        ('href="q.xml">', "http://e/bank/", "bank_file_outside"),
        ('href="q.xml">', "/bank/", "bank_file_outside"),
    ):
        assert code in [problem.code for problem in read(resource, base).problems]


ENTRY = '<p>写 <textEntryInteraction responseIdentifier="RESPONSE"/></p>'
WORD = declared("RESPONSE", "string", "MPa")


def matched(word: str, more: str) -> str:
    test = f'<stringMatch {more}><variable identifier="RESPONSE"/><baseValue baseType="string">{word}</baseValue>'
    sets = '<setOutcomeValue identifier="SCORE"><baseValue baseType="float">1</baseValue></setOutcomeValue>'
    return (
        f"<responseProcessing><responseCondition><responseIf>{test}</stringMatch>{sets}</responseIf>"
        "</responseCondition></responseProcessing>"
    )


def mapping(*entries: str) -> str:
    inner = "".join(f"<mapEntry {entry}/>" for entry in entries)
    return declared("RESPONSE", "string", "MPa", more=f'<mapping defaultValue="0">{inner}</mapping>')


MAP = f'<responseProcessing template="{RP}map_response"/>'
KEPT = 'maxChoices="1" shuffle="false"'
ALL_RIGHT = choice("1 m", "2 m", "以上都对", attrs=KEPT, prompt="几米")
LAST = declared("RESPONSE", "identifier", "c2")
STRICT = {
    "case sensitive": (WORD, ENTRY, matched("MPa", 'caseSensitive="true"'), "bank_qti_case_counts"),
    "case sensitive in a mapping": (
        mapping('mapKey="MPa" mappedValue="1" caseSensitive="true"'),
        ENTRY,
        MAP,
        "bank_qti_case_counts",
    ),
    "another case is worth nothing": (
        mapping('mapKey="MPa" mappedValue="1"', 'mapKey="mpa" mappedValue="0"'),
        ENTRY,
        MAP,
        "bank_qti_case_counts",
    ),
    "another width is worth nothing": (
        mapping('mapKey="5" mappedValue="1"', 'mapKey="５" mappedValue="0"'),
        ENTRY,
        MAP,
        "bank_qti_case_counts",
    ),
    "order that an option speaks of": (LAST, ALL_RIGHT, MATCH, "bank_qti_unshuffled"),
    "the same in XML's other words": (LAST, ALL_RIGHT.replace('"false"', '"0"'), MATCH, "bank_qti_unshuffled"),
    "a right answer among sensitive wrong ones": (
        mapping('mapKey="五" mappedValue="1"', 'mapKey="IV" mappedValue="0" caseSensitive="true"').replace("MPa", "五"),
        ENTRY,
        MAP,
        "",
    ),
    "string match with the declared answer": (
        WORD,
        ENTRY,
        matched("", "").replace('<baseValue baseType="string"></baseValue>', '<correct identifier="RESPONSE"/>'),
        "warns bank_qti_case_open",
    ),
    "match of words": (WORD, ENTRY, MATCH, "warns bank_qti_case_open"),
    "mapping that leaves case open": (
        mapping('mapKey="MPa" mappedValue="1"'), ENTRY, MAP, "warns bank_qti_case_open"
    ),
    "string match that leaves case open": (WORD, ENTRY, matched("MPa", ""), "warns bank_qti_case_open"),
    "mask": (
        declared("RESPONSE", "string", "五"),
        ENTRY.replace("/></p>", ' patternMask="[一-九]"/></p>'),
        MATCH,
        "warns bank_qti_mask",
    ),
    "order": (ONE, choice("1 m", "2 m", "3 m", attrs=KEPT, prompt="几米"), MATCH, "warns bank_qti_shuffled"),
    "judgement in its order": (ONE, choice("正确", "错误", attrs=KEPT, prompt="对吗"), MATCH, ""),
    "case of no account": (WORD, ENTRY, matched("MPa", 'caseSensitive="false"'), ""),
    "no letters": (declared("RESPONSE", "string", "五"), ENTRY, matched("五", 'caseSensitive="true"'), ""),
    "case of no account in a mapping": (
        mapping('mapKey="MPa" mappedValue="1" caseSensitive="false"'), ENTRY, MAP, ""
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STRICT)
def test_what_the_item_is_stricter_in_is_refused_or_told(tmp_path: Path, name: str) -> None:
    head, body, processing, said = STRICT[name]
    done = run(tmp_path, item(head, body, processing, name="strict"))
    told = [p.code for p in done.problems] + [f"warns {p.code}" for p in done.warnings]
    assert told == [said] * bool(said)
    assert (done.bank is None) == said.startswith("bank_")
    for problem in (*done.problems, *done.warnings):
        assert problem.item == "strict" and problem.where.startswith("package.zip:items/q0.xml <qti-")
        assert "{" not in problem.sentence("zh") + problem.sentence("en")


def test_who_imports_is_told_what_to_check(tmp_path: Path) -> None:
    package = write_package(tmp_path, item(WORD, ENTRY, MATCH, name="strict"))
    facts = (
        "--test",
        "theory",
        "--topic",
        "t",
        "--difficulty",
        "2",
        "--standard",
        "s",
        "--edition",
        "1",
        "--clause",
        "2",
    )
    words = ["bank", "import", str(package), "--name", "b", "--title", "题", *facts, "--out"]
    shown = CliRunner().invoke(main, [*words, str(tmp_path / "a.json")])
    assert shown.exit_code == 0 and "[strict]" in shown.output and "MPa" in shown.output
    told = json.loads(CliRunner().invoke(main, [*words, str(tmp_path / "b.json"), "--json"]).output)
    assert told["written"] and [one["code"] for one in told["warnings"]] == ["bank_qti_case_open"]
