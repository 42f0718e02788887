"""One question of a QTI item (its words and one interaction, or text entries) as an item's fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from edge.bank.lint import REFERS
from edge.bank.problems import Fault
from edge.bank.qti.processing import Declared, Scored, number
from edge.bank.qti.text import Shown, Words, shown_of, words_of
from edge.bank.qti.tree import FALSE, TRUE, Node
from edge.domain.paper import LETTERS

BLOCKS = {
    "qti-choice-interaction": "choice",
    "qti-order-interaction": "order",
    "qti-match-interaction": "match",
    "qti-hotspot-interaction": "hotspot",
    "qti-select-point-interaction": "hotspot",
}
TRUE_WORDS = frozenset(("正确", "对", "是", "√", "true", "yes", "right", "correct"))
FALSE_WORDS = frozenset(("错误", "错", "否", "不对", "×", "✗", "false", "no", "wrong", "incorrect"))
_OWN_LEFT = re.compile(r"L[1-8]")


@dataclass(frozen=True)
class Source:
    """What a question needs besides its own words: the item's declarations, and where pictures go."""

    declared: Mapping[str, Declared]
    scored: Mapping[str, Scored]
    place_media: Callable[[Shown], str]
    """Takes a picture into the bank and gives its name there."""
    size_of: Callable[[Shown], tuple[int, int] | None]
    type_hint: str = ""
    """What our own metadata calls it, where there is any."""
    points: Decimal | None = None
    """What our own metadata says it is worth, where there is any."""
    warn: Callable[[Fault], None] = lambda _fault: None
    """Takes what somebody should know of an item that is taken over."""


def is_interaction(node: Node) -> bool:
    return node.name.endswith("-interaction")


def question(nodes: list[Node], source: Source) -> dict[str, Any]:
    """Type, stem, what belongs to the type, and points where the item says them. Fault, with its element where one is
    to blame."""
    blocks = [one for node in nodes for one in node.walk() if is_interaction(one)]
    words = words_of(*nodes)
    bodies = [one for one in blocks if one.name in BLOCKS]
    if not bodies:
        fields = _fill(words, source)
    elif len(bodies) > 1 or words.entries:
        raise Fault("bank_qti_mixed", where=bodies[0].place)
    else:
        kind = BLOCKS[bodies[0].name]
        fields = {"choice": _choice, "order": _order, "match": _match, "hotspot": _hotspot}[kind](bodies[0], source)
    fields["stem"] = words.text
    if words.shown:
        fields["media"] = media_of(words.shown, source.place_media)
    worth = fields.pop("worth", None)
    if source.points is None and worth is not None:
        fields["points"] = _points(worth)
    return fields


def _points(worth: Decimal) -> int:
    if not 1 <= worth <= 100 or worth != int(worth):
        raise Fault("bank_qti_points", detail=worth)
    return int(worth)


def media_of(shown: list[Shown], place: Callable[[Shown], str]) -> list[dict[str, str]]:
    """The bank's entries for pictures and sounds. Fault for one that nothing describes."""
    for one in shown:
        if not one.alt:
            raise Fault("bank_qti_alt", where=one.place, file=one.href[:80])
    return [{"name": place(one), "alt": one.alt} for one in shown]


def _response(node: Node, source: Source, kinds: tuple[str, ...]) -> tuple[Declared, Scored]:
    name = node.get("response-identifier")
    response = source.declared.get(name)
    if response is None:
        raise Fault("bank_qti_undeclared", where=node.place, detail=name)
    how = source.scored[name]
    if how.kind not in kinds:
        raise Fault("bank_qti_map" if how.kind in ("map", "point") else "bank_qti_processing", node.place, detail=name)
    return response, how


def _letters(choices: list[Node]) -> dict[str, str]:
    """Our key for each choice: its own where all are single letters A to H, else by position."""
    if len(choices) > len(LETTERS):
        raise Fault("bank_qti_options", where=choices[0].place, detail=len(choices), most=len(LETTERS))
    names = [choice.get("identifier") for choice in choices]
    if len(set(names)) != len(names):
        raise Fault("bank_option_key_twice", where=choices[0].place)
    if all(name in LETTERS and len(name) == 1 for name in names):
        return {name: name for name in names}
    return dict(zip(names, LETTERS, strict=False))


def _options(choices: list[Node], keys: Mapping[str, str], source: Source) -> list[dict[str, Any]]:
    options = []
    for choice in choices:
        if choice.get("fixed").strip() in TRUE:
            raise Fault("bank_qti_fixed", where=choice.place, detail=choice.get("identifier"))
        if choice.get("template-identifier") or choice.get("show-hide") == "hide":
            raise Fault("bank_qti_element", where=choice.place, element="template-identifier")
        words = words_of(choice)
        if len(words.shown) > 1 or words.entries:
            raise Fault("bank_qti_option_media", where=choice.place, detail=choice.get("identifier"))
        option: dict[str, Any] = {"key": keys[choice.get("identifier")], "text": words.text}
        for one in words.shown:
            option["text"] = words.text or one.alt
            if not option["text"]:
                raise Fault("bank_qti_alt", where=one.place, file=one.href[:80])
            option["image"] = source.place_media(one)
        options.append(option)
    return options


def _may_shuffle(node: Node, options: list[dict[str, Any]], source: Source) -> None:
    """Told where the file keeps its order; Fault where an option says something of the others, and so of the order."""
    if node.get("shuffle").strip() not in FALSE:
        return
    if referring := [option for option in options if REFERS.search(option["text"])]:
        detail = f"{referring[0]['key']} {referring[0]['text'][:30]}"
        raise Fault("bank_qti_unshuffled", where=node.place, detail=detail)
    source.warn(Fault("bank_qti_shuffled", where=node.place))


def _known(values: list[str], keys: Mapping[str, str], place: str) -> list[str]:
    if unknown := [value for value in values if value not in keys]:
        raise Fault("bank_qti_answer", where=place, detail=unknown[0][:40])
    return [keys[value] for value in values]


def _choice(node: Node, source: Source) -> dict[str, Any]:
    response, how = _response(node, source, ("match", "map"))
    choices = [child for child in node.elements() if child.name == "qti-simple-choice"]
    keys = _letters(choices)
    options = _options(choices, keys, source)
    worth = how.weight
    right = response.correct
    if how.kind == "map":
        only, worth = _only_worth(response, source.points, node.place)
        right = [only]
    answer = _known(right, keys, node.place)
    if not answer:
        raise Fault("bank_qti_no_answer", where=node.place, detail=response.identifier)
    most = int(node.get("max-choices", "1")) if node.get("max-choices", "1").isdigit() else 0
    if response.cardinality == "multiple":
        if most and most < len(answer):
            raise Fault("bank_qti_max_choices", where=node.place, detail=most)
        _may_shuffle(node, options, source)
        fields = {"type": "multiple", "options": options, "answer": answer, "rule": "all-or-nothing"}
        return fields | {"worth": worth}
    if response.cardinality != "single":
        raise Fault("bank_qti_cardinality", where=node.place, detail=response.cardinality)
    kind = source.type_hint if source.type_hint in ("judgement", "single") else _single_or_judgement(options)
    if kind == "single":  # a judgement keeps its order
        _may_shuffle(node, options, source)
    return {"type": kind, "options": options, "answer": answer, "worth": worth}


def _only_worth(response: Declared, points: Decimal | None, place: str) -> tuple[str, Decimal]:
    """The one choice that a mapping gives all the points to and the others none, and those points: `match_correct` in
    other words.

    Fault for any other mapping, which gives points that our scoring does not know.
    """
    given = [(key, value) for key, value in response.mapping.items() if value != 0]
    plain = response.cardinality == "single" and response.default == 0 and not response.bounded
    if not plain or len(given) != 1 or response.correct not in ([], [given[0][0]]):
        raise Fault("bank_qti_map", where=place, detail=response.identifier)
    if given[0][1] < 0 or points not in (None, given[0][1]):
        raise Fault("bank_qti_map", where=place, detail=response.identifier)
    return given[0]


def _even(values: Iterable[Decimal], response: Declared, place: str = "") -> Decimal:
    """The worth that all of a mapping's right values have, apart from those that have none. Fault for any other."""
    worth = {value for value in values if value != 0}
    if len(worth) != 1 or min(worth) < 0 or response.default != 0 or response.bounded:
        raise Fault("bank_qti_map", where=place, detail=response.identifier)
    return worth.pop()


def _single_or_judgement(options: list[dict[str, Any]]) -> str:
    texts = [str(option["text"]).strip(" 。.").lower() for option in options]
    two = len(texts) == 2 and {texts[0] in TRUE_WORDS, texts[1] in TRUE_WORDS} == {True, False}
    return "judgement" if two and any(text in FALSE_WORDS for text in texts) else "single"


def _order(node: Node, source: Source) -> dict[str, Any]:
    response, how = _response(node, source, ("match",))
    choices = [child for child in node.elements() if child.name == "qti-simple-choice"]
    keys = _letters(choices)
    return {
        "type": "order",
        "options": _options(choices, keys, source),
        "answer": _known(response.correct, keys, node.place),
        "worth": how.weight,
    }


def _match(node: Node, source: Source) -> dict[str, Any]:
    response, how = _response(node, source, ("match", "map"))
    sets = [child for child in node.elements() if child.name == "qti-simple-match-set"]
    if len(sets) != 2:
        raise Fault("bank_qti_element", where=node.place, element=node.name)
    first, second = ([c for c in one.elements() if c.name == "qti-simple-associable-choice"] for one in sets)
    if len(first) > 8:
        raise Fault("bank_qti_options", where=node.place, detail=len(first), most=8)
    names = [place.get("identifier") for place in first]
    own = len(set(names)) == len(names) and all(_OWN_LEFT.fullmatch(name) for name in names)
    places = {name: name[1] if own else str(at) for at, name in enumerate(names, start=1)}
    keys = _letters(second)
    options = _options(second, keys, source)
    _may_shuffle(node, options, source)
    pairs, worth = list(response.correct), how.weight
    if how.kind == "map":
        each = _even(response.mapping.values(), response, node.place)
        mapped = [pair for pair, value in response.mapping.items() if value != 0]
        if pairs and sorted(map(str.split, pairs)) != sorted(map(str.split, mapped)):
            raise Fault("bank_qti_map", where=node.place, detail=response.identifier)
        pairs, worth = mapped, each * len(mapped)
    answer: dict[str, str] = {}
    for pair in pairs:
        left, _, right = pair.strip().partition(" ")
        if left not in places or right.strip() not in keys:
            raise Fault("bank_qti_answer", where=node.place, detail=pair[:40])
        if places[left] in answer:
            raise Fault("bank_qti_match_many", where=node.place, detail=left)
        answer[places[left]] = keys[right.strip()]
    lefts = []
    for place in first:
        words = words_of(place)
        if words.shown or words.entries:
            raise Fault("bank_qti_option_media", where=place.place, detail=place.get("identifier"))
        lefts.append({"key": places[place.get("identifier")], "text": words.text})
    return {
        "type": "match",
        "left": lefts,
        "options": options,
        "answer": answer,
        "rule": "all-or-nothing" if how.kind == "match" else "partial",
        "worth": worth,
    }


def _fill(words: Words, source: Source) -> dict[str, Any]:
    if not words.entries:
        raise Fault("bank_qti_no_interaction")
    blanks, hows, worths = [], [], []
    for name in words.entries:
        response = source.declared.get(name)
        if response is None:
            raise Fault("bank_qti_undeclared", detail=name)
        how = source.scored[name]
        blanks.append(_blank(response, how))
        hows.append(how)
        worths.append(_even(response.mapping.values(), response) if how.kind == "map" else how.weight)
    if len(set(worths)) > 1:
        raise Fault("bank_qti_weights", detail=", ".join(map(str, worths)))
    groups = {how.group for how in hows if how.kind != "map"}
    together = len(hows) > 1 and len(groups) == 1 and all(how.kind != "map" for how in hows)
    # some of the blanks right together, others each by itself
    if not together and len(groups) < sum(how.kind != "map" for how in hows):
        raise Fault("bank_qti_processing", detail=", ".join(words.entries)[:80])
    worth = worths[0] if together or worths[0] is None else worths[0] * len(worths)
    return {"type": "fill", "blanks": blanks, "rule": "all-or-nothing" if together else "partial", "worth": worth}


def _blank(response: Declared, how: Scored) -> dict[str, Any]:
    name = response.identifier
    if response.cardinality != "single":
        raise Fault("bank_qti_cardinality", detail=f"{name}: {response.cardinality}")
    if how.kind == "number" or (response.base in ("float", "integer") and how.kind == "match"):
        if len(response.correct) != 1:
            raise Fault("bank_qti_no_answer", detail=name)
        number(response.correct[0])
        return {"kind": "number", "value": response.correct[0].strip(), "tolerance": str(how.tolerance)}
    if how.kind == "strings":
        return {"kind": "text", "accepted": list(how.strings)}
    if how.kind == "map" and response.base == "string":
        _even(response.mapping.values(), response)
        return {"kind": "text", "accepted": [key for key, value in response.mapping.items() if value != 0]}
    if how.kind != "match" or response.base != "string":
        raise Fault("bank_qti_processing", detail=name)
    if not response.correct:
        raise Fault("bank_qti_no_answer", detail=name)
    return {"kind": "text", "accepted": response.correct[:1]}


def _hotspot(node: Node, source: Source) -> dict[str, Any]:
    points = node.name == "qti-select-point-interaction"
    response, how = _response(node, source, ("point",) if points else ("match",))
    worth = how.weight
    picture = next((child for child in node.elements() if child.name in ("img", "object", "picture")), None)
    if picture is None:
        raise Fault("bank_qti_element", where=node.place, element=node.name)
    shown = shown_of(picture)
    size = (shown.width, shown.height) if shown.width and shown.height else source.size_of(shown)
    if size is None or not all(size):
        raise Fault("bank_qti_picture_size", where=picture.place, file=shown.href[:80])
    if points:
        values = [value for _, _, value in response.areas]
        if not all(values):
            raise Fault("bank_qti_map", where=node.place, detail=response.identifier)
        worth = _even(values, response, node.place) * len(values)
        areas = [(shape, coords) for shape, coords, _ in response.areas]
    else:
        spots = {
            c.get("identifier"): (c.get("shape"), c.get("coords"))
            for c in node.elements()
            if c.name == "qti-hotspot-choice"
        }
        _known(response.correct, {name: name for name in spots}, node.place)
        areas = [spots[name] for name in response.correct]
        wrong = [spot for name, spot in spots.items() if name not in response.correct]
        if any(_overlap(_box(*one), _box(*other)) for one in areas for other in wrong):
            raise Fault("bank_qti_hotspots_overlap", where=node.place)
    if not areas:
        raise Fault("bank_qti_no_answer", where=node.place, detail=response.identifier)
    most = node.get("max-choices", "1" if not points else "0")
    if most.isdigit() and 0 < int(most) < len(areas):
        raise Fault("bank_qti_max_choices", where=node.place, detail=most)
    return {
        "type": "hotspot",
        "image": source.place_media(shown),
        "aspect": _share(size[1], size[0]),
        "regions": [_region(shape, coords, size) for shape, coords in areas],
        "rule": "partial" if points else "all-or-nothing",
        "worth": worth,
    }


def _share(part: int | Decimal, whole: int) -> int:
    """Thousandths, halves up."""
    return int((Decimal(part) * 1000 / whole).quantize(Decimal(1), ROUND_HALF_UP))


def _coords(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) < 7 for part in parts):
        raise Fault("bank_qti_coords", detail=text[:60])
    return [int(part) for part in parts]


def _region(shape: str, text: str, size: tuple[int, int]) -> dict[str, Any]:
    if shape not in ("circle", "rect", "poly"):
        raise Fault("bank_qti_coords", detail=shape)
    coords = _coords(text)
    # a circle's radius is of the width; everything else goes x, y, x, y
    return {
        "shape": shape,
        "coords": [_share(v, size[0 if shape == "circle" and at == 2 else at % 2]) for at, v in enumerate(coords)],
    }


def _box(shape: str, text: str) -> tuple[int, int, int, int]:
    coords = _coords(text)
    if shape == "circle" and len(coords) == 3:
        x, y, r = coords
        return x - r, y - r, x + r, y + r
    if shape not in ("rect", "poly") or len(coords) < 4:
        raise Fault("bank_qti_coords", detail=shape)
    return min(coords[::2]), min(coords[1::2]), max(coords[::2]), max(coords[1::2])


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
