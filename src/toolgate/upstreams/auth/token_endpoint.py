"""An authorization server's token endpoint, as one of its clients. Knows no grant and remembers nothing."""

import re
import time
from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from toolgate.ports import Clock, Http, HttpError
from toolgate.protocol.client_authentication import Prove

MAX_ANSWER = 256 * 1024
MAX_TOKEN = 32 * 1024
"""Characters of a token. More would not pass the header limits of servers."""

ASSUMED_LIFETIME = 60.0
"""Seconds a token lives whose answer does not say so (RFC 6749, 5.1 leaves it open)."""

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)
_ERROR_CODE = re.compile(r"[a-z_]{1,64}", re.ASCII)


class Token(Struct, frozen=True):
    """A token that was got."""

    text: str
    issued: float
    """Unix seconds, by our clock."""
    expires: float

    def __repr__(self) -> str:
        return f"Token(***, expires={self.expires})"


class TokenError(Exception):
    """No token. The text quotes nothing but the standard error code. `final`: asking again changes nothing."""

    def __init__(self, text: str, *, final: bool = False) -> None:
        super().__init__(text)
        self.final = final


class _Answer(Struct):
    access_token: str
    token_type: str
    expires_in: float | str | None = None
    issued_token_type: str | None = None


class _Error(Struct):
    error: str = ""


class TokenEndpoint:
    """One endpoint and one client of it."""

    def __init__(
        self, http: Http, url: str, client: Prove, clock: Clock = time.time, *, seconds: float = 10.0
    ) -> None:
        """`seconds` bound one request as a whole, by whoever calls."""
        self._http = http
        self._url = url
        self._client = client
        self._clock = clock
        self._seconds = seconds

    async def ask(self, form: Mapping[str, str]) -> Token:
        """The token the endpoint gives for this form. Raises `TokenError`."""
        fields = dict(form)
        headers = (
            *self._client.prove(fields, self._url),
            (b"content-type", b"application/x-www-form-urlencoded"),
            (b"accept", b"application/json"),
        )
        now = self._clock()
        try:
            response = await self._http.request(
                "POST", self._url, headers, urlencode(fields).encode(), timeout=self._seconds
            )
            try:
                body = await response.read(MAX_ANSWER)
            finally:
                response.close()
        except HttpError as error:
            raise TokenError(f"the token endpoint cannot be asked: {error}") from error
        return _token(response.status, body, now)


def _token(status: int, body: bytes, now: float) -> Token:
    if status != 200:
        raise TokenError(f"the token endpoint answered {status}{_code(body)}", final=400 <= status < 429)
    try:
        answer = msgspec.json.decode(body, type=_Answer)
        lifetime = ASSUMED_LIFETIME if answer.expires_in is None else float(answer.expires_in)
    except (ValueError, RecursionError):
        raise TokenError("the token endpoint's answer is not what RFC 6749 asks for") from None
    if answer.token_type.lower() != "bearer":
        raise TokenError("the token endpoint gave a token that is no bearer token", final=True)
    if len(answer.access_token) > MAX_TOKEN or not _TOKEN.fullmatch(answer.access_token):
        raise TokenError("the token endpoint gave a token that cannot stand in a header", final=True)
    if not 0 < lifetime < 1e9:
        raise TokenError("the token endpoint gave a token without a life")
    return Token(answer.access_token, now, now + lifetime)


def _code(body: bytes) -> str:
    try:
        code = msgspec.json.decode(body, type=_Error).error
    except (ValueError, RecursionError):
        return ""
    return f" {code}" if _ERROR_CODE.fullmatch(code) else ""
