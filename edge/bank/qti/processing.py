"""How a QTI item says it is scored, as far as it says what our own scoring says too; everything else is a Fault.

Known: the three standard templates; the same written out; and sums of conditions, one a response, each a match with
the declared answer, a number within an absolute tolerance, one of several strings, or all of these together (`and`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from edge.bank.problems import Fault
from edge.bank.qti.tree import Node

TEMPLATES = {"match_correct": "match", "map_response": "map", "map_response_point": "point"}


@dataclass(frozen=True)
class Scored:
    """How one response is scored. `group` numbers the condition it stands in, `weight` is what that condition adds;
    None for a standard template, which says no worth, and for a mapping, which says its own."""

    kind: str
    """match: equals the declared answer; number; strings; map; point."""
    weight: Decimal | None = None
    group: int = 0
    tolerance: Decimal = Decimal(0)
    strings: tuple[str, ...] = ()


@dataclass
class Declared:
    """A response as it is declared: its right values, and the worth of single values or areas."""

    identifier: str
    cardinality: str
    base: str
    correct: list[str]
    mapping: dict[str, Decimal]
    areas: list[tuple[str, str, Decimal]]
    """Shape, coordinates, worth."""
    default: Decimal = Decimal(0)
    bounded: bool = False


def number(text: str) -> Decimal:
    """Fault unless `text` is a finite number, and no power of ten that only serves to stop who counts with it."""
    try:
        value = Decimal(text.strip())
    except InvalidOperation as error:
        raise Fault("bank_qti_number", detail=text.strip()[:30]) from error
    if not value.is_finite() or abs(value.adjusted()) > 30:
        raise Fault("bank_qti_number", detail=text.strip()[:30])
    return value


def declared(item: Node) -> dict[str, Declared]:
    """The response declarations of an item by identifier."""
    found = {}
    for node in item.elements():
        if node.name != "qti-response-declaration":
            continue
        correct, mapping, areas = (
            next((child for child in node.elements() if child.name == name), None)
            for name in ("qti-correct-response", "qti-mapping", "qti-area-mapping")
        )
        worth = mapping or areas
        # the space around an identifier or a number is the file's own layout; in words it may be meant
        tidy = str if node.get("base-type") == "string" else _one_line
        found[node.get("identifier")] = Declared(
            node.get("identifier"),
            node.get("cardinality"),
            node.get("base-type"),
            [tidy(value.text()) for value in correct.all("qti-value")] if correct else [],
            {tidy(e.get("map-key")): number(e.get("mapped-value")) for e in mapping.all("qti-map-entry")}
            if mapping
            else {},
            [(e.get("shape"), e.get("coords"), number(e.get("mapped-value"))) for e in areas.all("qti-area-map-entry")]
            if areas
            else [],
            number(worth.get("default-value", "0")) if worth else Decimal(0),
            bool(worth and (worth.get("lower-bound") or worth.get("upper-bound"))),
        )
    return found


def _one_line(text: str) -> str:
    return " ".join(text.split())


def scored(item: Node, responses: Iterable[str]) -> dict[str, Scored]:
    """How each of `responses` is scored. Fault when the item does not say, or says what we cannot do."""
    wanted = list(responses)
    _starts_at_nothing(item)
    processing = next((node for node in item.elements() if node.name == "qti-response-processing"), None)
    if processing is None:
        raise Fault("bank_qti_unscored", detail=", ".join(wanted))
    template = processing.get("template") or processing.get("template-location")
    standard = bool(template) and not processing.elements()
    found = {"RESPONSE": _template(template)} if standard else _conditions(processing)
    if lacking := [name for name in wanted if name not in found]:
        raise Fault("bank_qti_unscored", detail=", ".join(lacking))
    return found


def _starts_at_nothing(item: Node) -> None:
    for node in item.elements():
        if node.name == "qti-outcome-declaration" and node.get("identifier") == "SCORE":
            values = [number(value.text()) for value in node.all("qti-value")]
            if any(values):
                raise Fault("bank_qti_start", where=node.place, detail=values[0])


def _template(address: str) -> Scored:
    path = address.rstrip("/").lower()
    name = path.rsplit("/", 1)[-1].removesuffix(".xml")
    if "rptemplates" not in path or name not in TEMPLATES:
        raise Fault("bank_qti_processing", detail=address[:100])
    return Scored(TEMPLATES[name])


def _conditions(processing: Node) -> dict[str, Scored]:
    found: dict[str, Scored] = {}
    plain = 0  # conditions that set the score rather than add to it
    for group, node in enumerate(processing.elements(), start=1):
        if node.name == "qti-set-outcome-value":
            if node.get("identifier") != "SCORE":
                continue
            new, adds = _mapped(node, group)
        elif node.name == "qti-response-condition":
            new, adds = _condition(node, group)
        else:
            raise _unknown(node)
        if set(new) & set(found):
            raise Fault("bank_qti_processing", where=node.place, detail=", ".join(set(new) & set(found)))
        found |= new
        plain += bool(new) and not adds
    if plain > 1 or (plain and len({how.group for how in found.values()}) > 1):
        raise Fault("bank_qti_processing", detail="SCORE")
    return found


def _unknown(node: Node) -> Fault:
    return Fault("bank_qti_processing", where=node.place, detail=node.name)


def _condition(node: Node, group: int) -> tuple[dict[str, Scored], bool]:
    branches = {child.name: child for child in node.elements()}
    if set(branches) - {"qti-response-if", "qti-response-else"} or len(branches) != len(node.elements()):
        raise _unknown(next(child for child in node.elements() if child.name != "qti-response-if"))
    if "qti-response-if" not in branches or not branches["qti-response-if"].elements():
        raise _unknown(node)
    test, *sets = branches["qti-response-if"].elements()
    otherwise = branches["qti-response-else"].elements() if "qti-response-else" in branches else []
    sets, otherwise = _of_score(sets), _of_score(otherwise)
    if not sets and not otherwise:
        return {}, True  # feedback, which an exam does not give
    if test.name == "qti-is-null":  # nothing given, no points; else the mapping: the standard template written out
        if len(otherwise) != 1 or any(_amount(one)[0] != 0 for one in sets):
            raise _unknown(test)
        return _mapped(otherwise[0], group)
    if len(sets) != 1 or any(_amount(one)[0] != 0 for one in otherwise):
        raise _unknown(node)
    weight, adds = _amount(sets[0])
    if weight <= 0:
        raise _unknown(sets[0])
    rights = test.elements() if test.name == "qti-and" else [test]
    found = {}
    for right in rights:
        name, how = _right(right)
        if name in found:
            raise _unknown(right)
        found[name] = Scored(how.kind, weight, group, how.tolerance, how.strings)
    return found, adds


def _of_score(nodes: list[Node]) -> list[Node]:
    for node in nodes:
        if node.name != "qti-set-outcome-value":
            raise _unknown(node)
    return [node for node in nodes if node.get("identifier") == "SCORE"]


def _amount(node: Node) -> tuple[Decimal, bool]:
    """What a condition gives, and whether it adds it to the score."""
    inner = node.elements()
    if len(inner) != 1:
        raise _unknown(node)
    if inner[0].name == "qti-base-value":
        return number(inner[0].text()), False
    if inner[0].name == "qti-sum":
        parts = inner[0].elements()
        values = [part for part in parts if part.name == "qti-base-value"]
        scores = [part for part in parts if part.name == "qti-variable" and part.get("identifier") == "SCORE"]
        if len(parts) == 2 and len(values) == 1 and len(scores) == 1:
            return number(values[0].text()), True
    raise _unknown(inner[0])


def _mapped(node: Node, group: int) -> tuple[dict[str, Scored], bool]:
    """`SCORE = [SCORE +] mapResponse X [+ mapResponse Y ...]`."""
    inner = node.elements()
    parts = inner[0].elements() if len(inner) == 1 and inner[0].name == "qti-sum" else inner
    found: dict[str, Scored] = {}
    adds = False
    for part in parts:
        kinds = {"qti-map-response": "map", "qti-map-response-point": "point"}
        if part.name in kinds:
            found[part.get("identifier")] = Scored(kinds[part.name], group=group)
        elif part.name == "qti-variable" and part.get("identifier") == "SCORE" and len(parts) > 1:
            adds = True
        elif part.name == "qti-base-value" and len(parts) == 1 and number(part.text()) == 0:
            adds = True  # the score starts at nothing
        else:
            raise _unknown(part)
    return found, adds


def _right(node: Node) -> tuple[str, Scored]:
    if node.name == "qti-or":
        several = [_right(child) for child in node.elements()]
        names = {name for name, _ in several}
        if len(names) != 1 or any(how.kind != "strings" for _, how in several):
            raise _unknown(node)
        return names.pop(), Scored("strings", strings=tuple(text for _, how in several for text in how.strings))
    parts = node.elements()
    variable = next((part.get("identifier") for part in parts if part.name == "qti-variable"), None)
    other = next((part for part in parts if part.name != "qti-variable"), None)
    if variable is None or other is None or len(parts) != 2:
        raise _unknown(node)
    against_key = other.name == "qti-correct" and other.get("identifier") == variable
    if node.name == "qti-match" and against_key:
        return variable, Scored("match")
    if node.name == "qti-string-match" and node.get("substring", "false") != "true":
        if against_key:
            return variable, Scored("match")
        if other.name == "qti-base-value":
            return variable, Scored("strings", strings=(other.text(),))
    if node.name == "qti-equal" and against_key:
        return variable, Scored("number", tolerance=_tolerance(node))
    raise _unknown(node)


def _tolerance(node: Node) -> Decimal:
    mode = node.get("tolerance-mode", "exact")
    if mode == "exact":
        return Decimal(0)
    values = {number(text) for text in node.get("tolerance").replace(",", " ").split()}
    open_ends = "false" in (node.get("include-lower-bound"), node.get("include-upper-bound"))
    if mode != "absolute" or len(values) != 1 or open_ends or min(values) < 0:
        raise Fault("bank_qti_processing", where=node.place, detail=f"tolerance {mode}")
    return values.pop()
