"""Static keys for service clients, known by their hash only. Knows no tokens and no issuers."""

import secrets
from collections.abc import Sequence
from hashlib import sha256

from msgspec import Struct

from toolgate.errors import ConfigError, Problem, Refusal
from toolgate.identity.bearer import token_of
from toolgate.model import Call, Principal, Task
from toolgate.ports import Clock

PREFIX = "tg_"
_HASH_PREFIX = "sha256:"
_MAX_KEY = 256


class ApiKey(Struct, frozen=True):
    """One key, as the config names it."""

    id: str
    hash: str
    """`sha256:` and 64 hexadecimal digits, as `new_key` makes it."""
    agent: str | None = None
    """Left out: the id."""
    user: str | None = None
    tenant: str | None = None
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    task: Task | None = None
    expires: float | None = None
    """Unix seconds."""
    previous: tuple[tuple[str, float], ...] = ()
    """Hashes of keys it replaced, each with the moment until which it is accepted."""


def new_key() -> tuple[str, str]:
    """A fresh key as (text, hash): the text is for the client and is kept nowhere."""
    text = PREFIX + secrets.token_urlsafe(32)
    return text, _HASH_PREFIX + sha256(text.encode()).hexdigest()


class ApiKeys:
    """Accepts `Authorization: Bearer tg_...` and `X-API-Key: tg_...`."""

    def __init__(self, keys: Sequence[ApiKey], clock: Clock) -> None:
        """Raises `ConfigError` for an unusable hash and for an id or a key named twice."""
        problems = _problems(keys)
        if problems:
            raise ConfigError(problems)
        self._clock = clock
        self._principals = {
            _digest_of(text): _principal_of(key, until) for key in keys for text, until in _hashes(key)
        }

    async def identify(self, call: Call) -> Principal | None:
        """The principal of the key, the same object each time; None where the call carries no API key.

        Raises `Refusal` for a key that is unknown or has expired.
        """
        text = _presented(call)
        if text is None:
            return None
        # Looked up by digest: how long that takes says nothing about the keys there are.
        principal = self._principals.get(sha256(text.encode()).digest()) if _may_be_key(text) else None
        if principal is None:
            raise Refusal.unauthenticated("unknown API key")
        if principal.expires is not None and self._clock() >= principal.expires:
            raise Refusal.unauthenticated(f"{principal.id} has expired")
        return principal


def _presented(call: Call) -> str | None:
    if call.api_key is not None:
        return call.api_key
    header = call.authorization
    # The slice keeps callers with other tokens from paying for the reading of theirs.
    if header is None or header[7:10] != PREFIX:
        return None
    return token_of(header)


def _may_be_key(text: str) -> bool:
    return len(text) <= _MAX_KEY and text.isascii() and text.startswith(PREFIX)


def _hashes(key: ApiKey) -> list[tuple[str, float | None]]:
    """Each with the moment it ends: a former key never outlives the one that replaced it."""
    former = [
        (text, until if key.expires is None else min(until, key.expires)) for text, until in key.previous
    ]
    return [(key.hash, key.expires), *former]


def _principal_of(key: ApiKey, expires: float | None) -> Principal:
    return Principal(
        id=f"api_key:{key.id}",
        method="api_key",
        agent=key.agent or key.id,
        user=key.user,
        tenant=key.tenant,
        roles=key.roles,
        scopes=key.scopes,
        tags=key.tags,
        task=key.task,
        expires=expires,
    )


def _digest_of(hash: str) -> bytes:
    """Raises `ValueError` for anything but `sha256:` and 64 hexadecimal digits."""
    digest = bytes.fromhex(hash.removeprefix(_HASH_PREFIX))
    if not hash.startswith(_HASH_PREFIX) or len(digest) != sha256().digest_size:
        raise ValueError(hash)
    return digest


def _problems(keys: Sequence[ApiKey]) -> list[Problem]:
    problems: list[Problem] = []
    ids: set[str] = set()
    digests: dict[bytes, str] = {}
    for key in keys:
        where = f"identity.api_keys[{key.id}]"
        if key.id in ids:
            problems.append(Problem("the id is given to two keys", key=where))
        ids.add(key.id)
        for text, _ in _hashes(key):
            try:
                first = digests.setdefault(_digest_of(text), key.id)
            except ValueError:
                remedy = "Make a key with `toolgate key new`."
                problems.append(Problem("the hash is not sha256:<64 hex digits>.", key=where, remedy=remedy))
                continue
            if first != key.id:
                problems.append(Problem(f"the same key as {first}", key=where))
    return problems
