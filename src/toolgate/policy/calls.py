"""What can be said at load of the functions a condition calls. Imports the SQL reader only where `sql` is called."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any

from toolgate.policy.functions import DIALECTS, FIELDS, Unreadable, cidr, route, to_date, under
from toolgate.policy.syntax import FunctionCall
from toolgate.policy.vocabulary import suggest

_CONSTANTS: Mapping[str, Callable[[str], object]] = {"cidr": cidr, "date": to_date}
_TEMPLATES: Mapping[str, Callable[[str], object]] = {
    "route": lambda template: route("/", template),
    "under": lambda root: under("/", root),
}
"""Functions whose second argument is mostly a constant, and what tries it."""


def read_sql(text: str, dialect: str) -> dict[str, Any]:
    """The facts of an SQL text. Raises `Unreadable`, and `ImportError` without the extra `sql`."""
    facts: dict[str, Any] = import_module("toolgate.policy.sql.reading").read(text, dialect)
    return facts


def complaints_about(calls: Iterable[FunctionCall]) -> Iterator[str]:
    """What can be seen to fail whatever the call is."""
    for call in calls:
        yield from _field(call)
        yield from _constant(call)
        if call.name == "sql":
            yield from _sql(call)


def _field(call: FunctionCall) -> Iterator[str]:
    fields = FIELDS.get(call.name)
    if fields is not None and call.field is not None and call.field not in fields:
        hint = suggest(call.field, fields) or f"It has: {', '.join(fields)}."
        yield f"`{call.name}(…)` has no `{call.field}`. {hint}"


def _constant(call: FunctionCall) -> Iterator[str]:
    tried = [
        (_CONSTANTS.get(call.name), call.constants[:1]),
        (_TEMPLATES.get(call.name), call.constants[1:2]),
    ]
    for function, texts in tried:
        for text in texts:
            if function is not None and text is not None:
                try:
                    function(text)
                except Unreadable as error:
                    yield f'`{call.name}` cannot take "{text}": {error}.'


def _sql(call: FunctionCall) -> Iterator[str]:
    dialect = call.constants[1] if len(call.constants) > 1 else None
    if dialect is not None and dialect not in DIALECTS:
        hint = suggest(dialect, DIALECTS) or f"There is: {', '.join(DIALECTS)}."
        yield f"`sql` knows no dialect `{dialect}`. {hint}"
    try:
        import_module("toolgate.policy.sql.reading")
    except ImportError:
        yield "`sql` needs the SQL parser. Install it: pip install 'toolgate[sql]'."
