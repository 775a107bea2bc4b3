"""The port `Http` on aiohttp: the outside witness of the contract. Test-only, and not tuned."""

import asyncio
import io
import re
import ssl
from collections.abc import AsyncIterator

import aiohttp
from yarl import URL

from toolgate.ports import HttpError

OURS = {b"host", b"content-length", b"transfer-encoding", b"connection"}
UNASKED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


def kind_of(error: Exception) -> str:
    """Where an exception of aiohttp belongs in the port's vocabulary."""
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientConnectorCertificateError):
        return "connect"
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "connect"
    if isinstance(error, TimeoutError):
        return "timeout"
    reasons = f"{error!r} {error.__cause__!r}"
    if "Got more than" in reasons or "Too many headers" in reasons:
        return "too_large"
    if "TransferEncodingError" in reasons and "Not enough data" in reasons:
        return "closed"
    if "BadHttpMessage" in reasons or "TransferEncodingError" in reasons or "BadStatusLine" in reasons:
        return "protocol"
    if isinstance(error, aiohttp.ClientResponseError):
        return "protocol"
    return "closed"


class AiohttpResponse:
    """Meets `ports.HttpResponse`."""

    def __init__(self, inner: aiohttp.ClientResponse) -> None:
        self.inner = inner
        self.status = inner.status
        self.headers = {name.lower(): value.strip() for name, value in inner.raw_headers}

    def whole(self, limit: int) -> bytes | None:
        """See the port; aiohttp does not tell."""
        return None

    async def read(self, limit: int) -> bytes:
        """See the port."""
        body = bytearray()
        async for part in self.chunks():
            body += part
            if len(body) > limit:
                self.close()
                raise HttpError("too_large", "the body is larger than asked for", sent=True)
        return bytes(body)

    async def chunks(self) -> AsyncIterator[bytes]:
        """See the port."""
        try:
            while part := await self.inner.content.readany():
                yield part
        except (aiohttp.ClientError, ConnectionError, ValueError) as error:
            raise HttpError(kind_of(error), str(error), sent=True) from error

    def close(self) -> None:
        """See the port."""
        self.inner.close()


class AiohttpHttp:
    """Meets `ports.Http`."""

    def __init__(
        self,
        *,
        max_connections: int = 256,
        idle_seconds: float = 4.0,
        connect_seconds: float = 5.0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.options = {"limit_per_host": max_connections, "keepalive_timeout": idle_seconds}
        self.tls = ssl_context or True
        self.connect_seconds = connect_seconds
        self.session: aiohttp.ClientSession | None = None
        self.closed = False

    def start(self) -> aiohttp.ClientSession:
        """A session belongs to a loop, so it is made on the first request."""
        if self.session is None:
            self.session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=self.tls, **self.options),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=UNASKED,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.connect_seconds),
                read_bufsize=65536,
                max_line_size=65536,
                max_field_size=65536,
                max_headers=200,
            )
        return self.session

    async def request(
        self,
        method: str,
        url: str,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        body: bytes = b"",
        *,
        timeout: float,
        repeatable: bool = False,
    ) -> AiohttpResponse:
        """See the port."""
        if self.closed:
            raise HttpError("closed", "the client is closed", sent=False)
        for name, value in headers:
            if name.lower() in OURS or re.search(rb"[\r\n\0]", name + value):
                raise HttpError("protocol", "a header that must not be sent", sent=False)
        if re.search(r"[\x00-\x20\x7f]", url):
            raise HttpError("protocol", "not an address", sent=False)
        repeated = False
        try:
            async with asyncio.timeout(timeout):
                try:
                    return await self.once(method, url, headers, body)
                except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                    if not repeatable or isinstance(error, aiohttp.ClientConnectorError):
                        raise
                    repeated = True
                    return await self.once(method, url, headers, body)
        except aiohttp.InvalidURL as error:
            raise HttpError("protocol", "not an address", sent=False) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            kind = kind_of(error)
            raise HttpError(kind, str(error), sent=repeated or kind != "connect") from error

    async def once(
        self, method: str, url: str, headers: tuple[tuple[bytes, bytes], ...], body: bytes
    ) -> AiohttpResponse:
        """One attempt."""
        inner = await self.start().request(
            method,
            URL(url, encoded=True),
            headers=[(name.decode(), value.decode()) for name, value in headers],
            # From a megabyte on, aiohttp warns of plain bytes.
            data=io.BytesIO(body) if len(body) > 2**20 else body or None,
            allow_redirects=False,
        )
        return AiohttpResponse(inner)

    async def aclose(self) -> None:
        """See the port."""
        self.closed = True
        if self.session is not None:
            await self.session.close()
