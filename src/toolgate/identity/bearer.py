"""The `Authorization: Bearer` header, as syntax (RFC 6750). Does not know what a token means."""

import re

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)


def token_of(authorization: str | None) -> str | None:
    """The token of a well-formed bearer header; None where there is no header or it is anything else."""
    if authorization is None or authorization[:7].lower() != "bearer ":
        return None
    token = authorization[7:]
    return token if _TOKEN.fullmatch(token) else None
