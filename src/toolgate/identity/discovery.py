"""Finds the key set of an issuer from its metadata (OIDC discovery, RFC 8414). Knows no keys."""

from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import Struct

from toolgate.identity.fetch import Unusable, fetch, is_loopback, is_secure
from toolgate.ports import Http, HttpError

_MAX_BYTES = 1 << 20


class _Metadata(Struct):
    issuer: str
    jwks_uri: str


async def find_key_set(http: Http, issuer: str, timeout: float) -> str:
    """The address of the issuer's key set. Raises `Unusable`, with what each place said, if none serves."""
    if not is_secure(issuer):
        raise Unusable("an issuer is asked over https only")
    problems: list[str] = []
    for url in places(issuer):
        try:
            return key_set_of(await fetch(http, url, _MAX_BYTES, timeout), issuer)
        except (Unusable, HttpError) as error:
            problems.append(str(error))
    raise Unusable("; ".join(problems))


def places(issuer: str) -> tuple[str, str]:
    """Where the metadata of `issuer` may be, in the order to ask."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    # OIDC appends to the path of the issuer, RFC 8414 (section 3.1) inserts before it.
    oidc = path + "/.well-known/openid-configuration"
    oauth = "/.well-known/oauth-authorization-server" + path
    return (
        urlunsplit((parts.scheme, parts.netloc, oidc, "", "")),
        urlunsplit((parts.scheme, parts.netloc, oauth, "", "")),
    )


def key_set_of(text: bytes, issuer: str) -> str:
    """The address that the metadata names. Raises `Unusable` for metadata of anybody but `issuer`."""
    try:
        metadata = msgspec.json.decode(text, type=_Metadata)
    except (ValueError, RecursionError) as error:
        raise Unusable("the metadata is not what RFC 8414 asks for") from error
    # Plain comparison (RFC 8414 section 3.3): metadata of another issuer must not lend its keys.
    if metadata.issuer != issuer:
        raise Unusable("the metadata is another issuer's")
    if not _may_lead_to(issuer, metadata.jwks_uri):
        raise Unusable("jwks_uri is not https")
    return metadata.jwks_uri


def _may_lead_to(issuer: str, url: str) -> bool:
    # An issuer elsewhere must not send us to a port of this machine.
    return is_secure(url) and (is_loopback(issuer) or not is_loopback(url))
