"""Traefik's expressions as CEL conditions that mean the same: what is missing, or of another type, makes a call false.

| Traefik compares | here |
|---|---|
| text | as it is |
| a number | as its shortest decimal digits, such as 5 and 0.5; in `Lt`, `Lte`, `Gt`, `Gte` as a number |
| true, false | as these words |
| null, lists, objects | equal to no text; a list is searched by `Contains` and `OneOf` |
"""

import json
import re
from collections.abc import Callable
from decimal import Decimal

from toolgate.imports.traefik.expression import Both, Either, ExpressionError, Key, Literal, Not, Test, Tree
from toolgate.imports.traefik.formula import Formula, Text, both, either, negated, quoted
from toolgate.imports.traefik.values import Absent, Certain, Scene, Value

NUMERAL = r"^-?[0-9]{1,300}([.][0-9]{1,300})?$"
"""A text that counts as a number."""

_COMPARED = {"Lt": "<", "Lte": "<=", "Gt": ">", "Gte": ">="}
_EXACT = 2**53
"""Whole numbers up to here are the same as a double."""


def condition_of(tree: Tree, scene: Scene) -> Formula:
    """When the expression is true in a scene. Raises `ExpressionError` for what has no meaning here."""
    match tree:
        case Test():
            return _test(tree, scene)
        case Not():
            return negated(condition_of(tree.part, scene))
        case Both():
            return both([condition_of(part, scene) for part in tree.parts])
        case Either():
            return either([condition_of(part, scene) for part in tree.parts])


def _test(test: Test, scene: Scene) -> Formula:
    value = scene.find(test.key)
    if test.function in _COMPARED:
        return _number_test(test, value, scene)
    there: list[Formula] = []
    texts = [_said(literal, scene, there) for literal in test.values]
    if isinstance(value, Absent) or False in there:
        return False
    if isinstance(value, Certain):
        return both([*there, _of_text(test.function, value.cel, texts, value.among)])
    types: Callable[[str, list[str]], Formula] = _BY_TYPE[test.function]
    return both([*value.there, *there, types(value.cel, texts)])


def _said(literal: Literal, scene: Scene, there: list[Formula]) -> str:
    """The literal as CEL; what must hold for it to have a value is added to `there`."""
    parts = [_part(part, scene, there) for part in literal.parts]
    return " + ".join(parts) or '""'


def _part(part: str | Key, scene: Scene, there: list[Formula]) -> str:
    if isinstance(part, str):
        return quoted(part)
    value = scene.find(part)
    if isinstance(value, Absent):
        there.append(False)
        return '""'
    if isinstance(value, Certain):
        return value.cel
    there += [*value.there, _scalar(value.cel)]
    return f"text({value.cel})"


def _scalar(cel: str) -> Text:
    return Text(f"type({cel}) in [string, int, double, bool]", 2)


def _constant(text: str) -> str | None:
    """The text itself, where the CEL is one string."""
    return None if re.fullmatch(r'"(?:[^"\\]|\\.)*"', text) is None else str(json.loads(text))


def _of_text(function: str, cel: str, texts: list[str], among: tuple[str, ...]) -> Formula:
    """A test of a value that is text for certain."""
    constants = [_constant(text) for text in texts]
    known = [text for text in constants if text is not None]
    if among and len(known) == len(texts):
        answers = {_answer(function, one, known) for one in among}
        if len(answers) == 1:
            return answers.pop()
    match function:
        case "Equals":
            return Text(f"{cel} == {texts[0]}", 2)
        case "Prefix":
            return Text(f"{cel}.startsWith({texts[0]})")
        case "Contains":
            return Text(f"{cel}.contains({texts[0]})")
        case "SplitContains":
            return Text(f"{_grouped(texts[1])} in {cel}.split({texts[0]})", 2)
    return False


def _answer(function: str, value: str, texts: list[str]) -> bool:
    match function:
        case "Equals":
            return value == texts[0]
        case "Prefix":
            return value.startswith(texts[0])
        case "Contains":
            return texts[0] in value
        case "SplitContains":
            return texts[1] in (value.split(texts[0]) if texts[0] else list(value))
    return False


def _equals(cel: str, texts: list[str]) -> Formula:
    constant = _constant(texts[0])
    if constant is not None and (same := _same_as(constant)) is not None:
        return either(Text(f"{cel} == {one}", 2) for one in (texts[0], *same))
    return both([_scalar(cel), Text(f"text({cel}) == {texts[0]}", 2)])


def _prefix(cel: str, texts: list[str]) -> Formula:
    return both([Text(f"type({cel}) == string", 2), Text(f"{cel}.startsWith({texts[0]})")])


def _contains(cel: str, texts: list[str]) -> Formula:
    text = both([Text(f"type({cel}) == string", 2), Text(f"{cel}.contains({texts[0]})")])
    return either([text, both([Text(f"type({cel}) == list", 2), _member(cel, texts[0])])])


def _split_contains(cel: str, texts: list[str]) -> Formula:
    found = Text(f"{_grouped(texts[1])} in {cel}.split({texts[0]})", 2)
    return both([Text(f"type({cel}) == string", 2), found])


def _one_of(cel: str, texts: list[str]) -> Formula:
    return both([Text(f"type({cel}) == list", 2), either(_member(cel, text) for text in texts)])


_BY_TYPE: dict[str, Callable[[str, list[str]], Formula]] = {
    "Contains": _contains,
    "Equals": _equals,
    "OneOf": _one_of,
    "Prefix": _prefix,
    "SplitContains": _split_contains,
}


def _member(cel: str, text: str) -> Formula:
    constant = _constant(text)
    if constant is not None and (same := _same_as(constant)) is not None:
        return either(Text(f"{one} in {cel}", 2) for one in (text, *same))
    found = both([_scalar("item"), Text(f"text(item) == {text}", 2)])
    assert isinstance(found, Text)
    return Text(f"{cel}.exists(item, {found.cel})")


def _grouped(text: str) -> str:
    return f"({text})" if " + " in text else text


def _same_as(text: str) -> list[str] | None:
    """The number or truth value whose text this is; None for a number too large to be compared as one."""
    if text in ("true", "false"):
        return [text]
    if re.fullmatch(r"0|-?[1-9][0-9]*", text):
        return [text] if abs(int(text)) <= _EXACT else None
    if re.fullmatch(r"-?(0|[1-9][0-9]*)\.[0-9]*[1-9]", text):
        number = float(text)
        return [text] if not number.is_integer() and format(Decimal(repr(number)), "f") == text else []
    return []


def _number_test(test: Test, value: Value, scene: Scene) -> Formula:
    number, there = _limit(test, scene)
    if isinstance(value, Absent) or False in there:
        return False
    if isinstance(value, Certain):
        digits: Formula = Text(f"{value.cel}.matches({quoted(NUMERAL)})")
    else:
        there = [*value.there, *there]
        digits = _numeric(value.cel)
    return both([*there, digits, Text(f"double({value.cel}) {_COMPARED[test.function]} {number}", 2)])


def _limit(test: Test, scene: Scene) -> tuple[str, list[Formula]]:
    """The number a value is compared with, and when there is one."""
    literal = test.values[0]
    match literal.parts:
        case (str(text),) if re.fullmatch(NUMERAL, text):
            return text if "." in text else f"{text}.0", []
        case (Key() as key,):
            value = scene.find(key)
            if isinstance(value, Absent):
                return "0.0", [False]
            if isinstance(value, Certain):
                return f"double({value.cel})", [Text(f"{value.cel}.matches({quoted(NUMERAL)})")]
            return f"double({value.cel})", [*value.there, _numeric(value.cel)]
    raise ExpressionError(
        f"{test.function} compares with a number.",
        literal.at,
        "Write digits such as `1000`, or one `${path}`.",
    )


def _numeric(cel: str) -> Formula:
    digits = both([Text(f"type({cel}) == string", 2), Text(f"{cel}.matches({quoted(NUMERAL)})")])
    return either([Text(f"type({cel}) in [int, double]", 2), digits])
