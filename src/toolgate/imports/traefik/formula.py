"""Conditions being built: CEL text, or what is known to be true or false already. Knows nothing of Traefik."""

import json
from collections.abc import Iterable

from msgspec import Struct


class Text(Struct, frozen=True):
    """A CEL expression. `rank` says how tightly it holds together: 3 alone, 2 by &&, 1 by ||."""

    cel: str
    rank: int = 3


Formula = Text | bool


def both(parts: Iterable[Formula]) -> Formula:
    """True where all are."""
    open_: list[Text] = []
    for part in parts:
        if part is False:
            return False
        if isinstance(part, Text) and part not in open_:
            open_.append(part)
    if len(open_) < 2:
        return open_[0] if open_ else True
    return Text(" && ".join(part.cel if part.rank > 1 else f"({part.cel})" for part in open_), 2)


def either(parts: Iterable[Formula]) -> Formula:
    """True where one is."""
    open_: list[Text] = []
    for part in parts:
        if part is True:
            return True
        if isinstance(part, Text) and part not in open_:
            open_.append(part)
    if len(open_) < 2:
        return open_[0] if open_ else False
    return Text(" || ".join(part.cel for part in open_), 1)


def negated(part: Formula) -> Formula:
    """True where it is not."""
    if isinstance(part, bool):
        return not part
    return Text(f"!{part.cel}" if part.rank == 3 and _one_word(part.cel) else f"!({part.cel})")


def _one_word(cel: str) -> bool:
    return " " not in cel


def quoted(text: str) -> str:
    """A CEL string."""
    return json.dumps(text, ensure_ascii=False)
