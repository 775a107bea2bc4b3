"""The `Authorization` header of `Bearer` and `DPoP`, as syntax (RFC 6750, 9449). Knows no token's meaning."""

import re

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)


def token_of(authorization: str | None) -> str | None:
    """The token of a well-formed header; None where there is no header or it is anything else."""
    if authorization is None:
        return None
    if authorization[:7].lower() == "bearer ":
        token = authorization[7:]
    elif is_dpop(authorization):
        token = authorization[5:]
    else:
        return None
    return token if _TOKEN.fullmatch(token) else None


def is_dpop(authorization: str) -> bool:
    """Whether the token is announced as bound to a key (RFC 9449, 7.1)."""
    return authorization[:5].lower() == "dpop "
