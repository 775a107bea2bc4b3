"""Where an issuer's keys come from: a file, an address, or the issuer's own metadata."""

from functools import partial
from pathlib import Path

from toolgate.identity.discovery import find_key_set
from toolgate.identity.jwks import Keys
from toolgate.identity.jwks_file import FileKeys
from toolgate.identity.jwks_remote import RemoteKeys
from toolgate.ports import Clock, Http

_DEADLINE = 5.0


def key_source(issuer: str, jwks: str | None, http: Http, clock: Clock) -> Keys:
    """`jwks` is a path, a URL, or None for discovery.

    A URL is taken as it is written, plain http too: that is the operator's choice, made by name.
    """
    if jwks is None:
        return RemoteKeys(http, partial(find_key_set, http, issuer, _DEADLINE), clock, deadline=_DEADLINE)
    if jwks.startswith(("https://", "http://")):
        return RemoteKeys(http, partial(_stay, jwks), clock, deadline=_DEADLINE)
    return FileKeys(Path(jwks), clock)


async def _stay(url: str) -> str:
    return url
