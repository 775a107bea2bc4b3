"""An HTTP client that shows a server the gateway's credential. Transports send through it and know of none.

Whose call it is says the context: `caller` is set once the caller is known, and every task that a call starts
inherits it. A request from anywhere else is not sent.
"""

from contextvars import ContextVar

from toolgate.model import Principal
from toolgate.ports import Authorize, Http, HttpError, HttpResponse

caller: ContextVar[Principal] = ContextVar("caller")


class AuthorizedHttp:
    """Meets `ports.Http`, over another client."""

    def __init__(self, http: Http, authorize: Authorize) -> None:
        self._http = http
        self._authorize = authorize

    async def request(
        self,
        method: str,
        url: str,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        body: bytes = b"",
        *,
        timeout: float,
        repeatable: bool = False,
    ) -> HttpResponse:
        """See `Http.request`. Raises also `Refusal`, where there is no credential for this caller."""
        principal = caller.get(None)
        if principal is None:
            raise HttpError("protocol", "a request on behalf of nobody", sent=False)
        own = await self._authorize.headers(principal)
        response = await self._http.request(
            method, url, headers + own, body, timeout=timeout, repeatable=repeatable
        )
        if response.status == 401 and self._authorize.rejected(principal, own):
            # A refused credential means that nothing was done: once more, with a fresh one.
            response.close()
            own = await self._authorize.headers(principal)
            response = await self._http.request(
                method, url, headers + own, body, timeout=timeout, repeatable=repeatable
            )
        return response

    async def aclose(self) -> None:
        """See `Http.aclose`."""
        await self._authorize.aclose()
        await self._http.aclose()
