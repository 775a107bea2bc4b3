"""The faults pydantic found, in the words of the file: place, key, what is wrong, what was meant.

Knows no key and never repeats a value: it may be a secret.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError
from pydantic_core import ErrorDetails

from toolgate.config.document import Document, Path
from toolgate.errors import Problem

Renamed = Mapping[str, tuple[str, str]]
"""Top-level keys people bring from elsewhere: ours, and the remedy to show."""

_WANTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "dict_type": "a mapping of keys",
    "mapping_type": "a mapping of keys",
    "model_type": "a mapping of keys",
    "model_attributes_type": "a mapping of keys",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
}
_GOT = {
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "a mapping",
}

_BOUNDS = {
    "greater_than": ("must be greater than {gt}.", "gt"),
    "greater_than_equal": ("must be at least {ge}.", "ge"),
    "less_than": ("must be less than {lt}.", "lt"),
    "less_than_equal": ("must be at most {le}.", "le"),
}


def explain(
    error: ValidationError, document: Document, model: type[BaseModel], renamed: Renamed
) -> Iterator[tuple[Path, Problem]]:
    """Every fault once, in the order of the model's keys, with the path of its key."""
    schema = _schema(model)
    found = [
        (_key_path(fault["loc"], document.data, schema), fault) for fault in error.errors(include_url=False)
    ]
    meant = {
        path: _meant(path, schema, renamed) for path, fault in found if fault["type"] == "extra_forbidden"
    }
    # A required key is not also missing where it only is misspelled.
    misspelled = {(*path[:-1], name) for path, (name, _) in meant.items() if name}
    told: set[tuple[Path, str]] = set()
    for path, fault in found:
        if path in misspelled and not _holds(document.data, path):
            continue
        if fault["type"] == "too_short" and any(other[:-1] == path for other, _ in found):
            continue  # Items that are wrong do not count, and are told themselves.
        text, remedy = ("unknown key.", meant[path][1]) if path in meant else _say(fault)
        if (path, text) not in told:
            told.add((path, text))
            yield path, document.problem(path, text, remedy)


def _holds(data: Any, path: Path) -> bool:
    for step in path:
        if not _has(data, step):
            return False
        data = data[step]
    return True


def _has(data: Any, step: str | int) -> bool:
    if isinstance(data, dict):
        return step in data
    return isinstance(data, list) and isinstance(step, int) and 0 <= step < len(data)


def _key_path(loc: tuple[int | str, ...], data: Any, schema: Mapping[str, Any]) -> Path:
    """`loc` without the steps that only pydantic knows: tags of unions, names of types."""
    path: Path = ()
    for at, step in enumerate(loc):
        if _has(data, step):
            data, path = data[step], (*path, step)
        elif at == len(loc) - 1 and step in _keys_at(schema, path):
            path = (*path, step)
    return path


def _say(fault: ErrorDetails) -> tuple[str, str]:
    """What is wrong, and the remedy."""
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "missing":
        return "required key is missing.", ""
    if kind in _WANTED:
        return _wrong_kind(kind, fault["input"])
    if kind in ("literal_error", "enum"):
        return f"expected {context['expected']}.", _did_you_mean(fault["input"], _quoted(context["expected"]))
    if kind in _BOUNDS:
        template, key = _BOUNDS[kind]
        return template.format(**{key: context[key]}), ""
    if kind == "string_pattern_mismatch":
        return f"must match {context['pattern']}", ""
    if kind in ("too_short", "string_too_short"):
        return "must not be empty.", ""
    if kind == "wrong" or "remedy" in context:
        return fault["msg"], str(context.get("remedy", ""))
    return _sentence(fault["msg"].removeprefix("Value error, ")), ""


def _wrong_kind(kind: str, value: object) -> tuple[str, str]:
    wanted = _WANTED[kind]
    if value is None:
        return f"expected {wanted}, got nothing.", "Give it a value or leave the key out."
    got = _GOT.get(type(value), "something else")
    remedy = ""
    if kind == "string_type" and isinstance(value, int | float):
        remedy = "Put it in quotes."
    if wanted == "a list" and isinstance(value, str):
        remedy = "Put it in [ ]."
    return f"expected {wanted}, got {got}.", remedy


def _sentence(text: str) -> str:
    text = text.removeprefix("Input should be ").strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _meant(path: Path, schema: Mapping[str, Any], renamed: Renamed) -> tuple[str, str]:
    """The key that an unknown one stands for, and the remedy."""
    key = str(path[-1])
    if len(path) == 1 and key in renamed:
        return renamed[key]
    known = _keys_at(schema, path[:-1])
    if key in known:
        return "", "It does not go with the other keys here."
    close = _close(key, sorted(known))
    return (close, f"Did you mean '{close}'?") if close else ("", "")


def _close(word: str, words: list[str]) -> str:
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word[:64]).replace("-", "_").lower()
    found = difflib.get_close_matches(plain, words, n=1)
    return found[0] if found else ""


def _did_you_mean(value: object, words: list[str]) -> str:
    close = _close(value, words) if isinstance(value, str) else ""
    return f"Did you mean '{close}'?" if close else ""


def _quoted(text: str) -> list[str]:
    return re.findall(r"'([^']*)'", text)


def _schema(model: type[BaseModel]) -> Mapping[str, Any]:
    try:
        return model.model_json_schema()
    except (PydanticInvalidForJsonSchema, PydanticUserError):
        return {}  # Without it, unknown keys are reported all the same, only without a suggestion.


def _keys_at(schema: Mapping[str, Any], path: Path) -> set[str]:
    """The keys a mapping at `path` may have, of all forms it may take."""
    parts = [schema]
    for step in path:
        parts = [below for part in parts for below in _below(part, step, schema)]
    return {key for part in parts for form in _forms(part, schema) for key in form.get("properties", {})}


def _below(
    part: Mapping[str, Any], step: str | int, schema: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    for form in _forms(part, schema):
        found = form.get("items") if isinstance(step, int) else form.get("properties", {}).get(step)
        found = found or (form.get("additionalProperties") if isinstance(step, str) else None)
        if isinstance(found, dict):
            yield found


def _forms(part: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The schema itself and everything it refers to or chooses between."""
    yield part
    if "$ref" in part:
        yield from _forms(schema.get("$defs", {}).get(part["$ref"].rpartition("/")[2], {}), schema)
    for word in ("anyOf", "oneOf", "allOf"):
        for choice in part.get(word, ()):
            yield from _forms(choice, schema)
