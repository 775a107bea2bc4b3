"""Which claim of a verified token fills which field of a principal. Knows no signatures and no issuers."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from toolgate.errors import Refusal
from toolgate.model import Task

_T = TypeVar("_T")
_ABSENT = object()
_MAX_ACTORS = 16


class ClaimMap(Struct, frozen=True):
    """Claim names per field; the first one present in a token wins.

    A name is looked for as it stands (`https://example.com/roles`), then as a path through objects
    (`realm_access.roles`).
    """

    agent: tuple[str, ...] = ("azp", "client_id")
    user: tuple[str, ...] = ("sub",)
    tenant: tuple[str, ...] = ()
    roles: tuple[str, ...] = ("roles",)
    scopes: tuple[str, ...] = ("scope", "scp")
    tags: tuple[str, ...] = ()
    task: tuple[str, ...] = ("task",)


class Named(Struct, frozen=True):
    """What the claims say, by field."""

    agent: str | None
    user: str | None
    tenant: str | None
    actors: tuple[str, ...]
    roles: tuple[str, ...]
    scopes: tuple[str, ...]
    tags: tuple[str, ...]
    task: Task | None


def read(claims: Mapping[str, Any], names: ClaimMap) -> Named:
    """The fields. Raises `Refusal` where a claim has a type its field cannot take: a right or a
    restriction that cannot be read is not the same as none."""
    return Named(
        agent=_first(claims, names.agent, _text, None),
        user=_first(claims, names.user, _text, None),
        tenant=_first(claims, names.tenant, _text, None),
        actors=_actors(claims.get("act")),
        roles=_first(claims, names.roles, _texts, ()),
        scopes=_first(claims, names.scopes, _words, ()),
        tags=_first(claims, names.tags, _texts, ()),
        task=_first(claims, names.task, _task, None),
    )


def _actors(act: Any) -> tuple[str, ...]:
    """The chain of delegation (RFC 8693, section 4.1), the outermost and current actor first."""
    actors: list[str] = []
    while act is not None:
        subject = act.get("sub", act.get("client_id")) if isinstance(act, Mapping) else None
        if not isinstance(subject, str) or not subject or len(actors) == _MAX_ACTORS:
            raise Refusal.unauthenticated("claim act: not a chain of actors")
        actors.append(subject)
        act = act.get("act")
    return tuple(actors)


def _first(
    claims: Mapping[str, Any], names: tuple[str, ...], convert: Callable[[Any], _T], default: _T
) -> _T:
    for name in names:
        try:
            value = _find(claims, name)
            if value is not _ABSENT:
                return convert(value)
        except ValueError as error:
            raise Refusal.unauthenticated(f"claim {name}: {error}") from error
    return default


def _find(claims: Mapping[str, Any], name: str) -> Any:
    if name in claims:
        return claims[name]
    value: Any = claims
    for step in name.split("."):
        if not isinstance(value, Mapping):
            raise ValueError("the way to it is not an object")
        if step not in value:
            return _ABSENT
        value = value[step]
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("not a non-empty string")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(_text(item) for item in value)
    return (_text(value),)


def _words(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        # Only the space separates (RFC 6749 section 3.3): any other white space is part of a name.
        return tuple(word for word in value.split(" ") if word)
    return _texts(value)


def _task(value: Any) -> Task:
    if isinstance(value, str):
        return Task(id=_text(value))
    task = msgspec.convert(value, Task)
    return Task(id=_text(task.id), name=task.name, attributes=task.attributes)
