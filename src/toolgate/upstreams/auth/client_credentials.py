"""A token of the gateway's own (RFC 6749, 4.4), the same for every caller."""

import time
from collections.abc import Mapping

from toolgate.model import Principal
from toolgate.ports import Clock
from toolgate.upstreams.auth.token_endpoint import Token, TokenEndpoint
from toolgate.upstreams.auth.tokens import Tokens

_OURS = "gateway"


class ClientCredentials:
    """Meets `Authorize`."""

    def __init__(
        self, endpoint: TokenEndpoint, parameters: Mapping[str, str], clock: Clock = time.time
    ) -> None:
        """`parameters`: `scope`, `resource`, `audience`, as far as they are wanted."""
        self._endpoint = endpoint
        self._form = {"grant_type": "client_credentials", **parameters}
        self._tokens = Tokens(self._obtain, clock)

    async def headers(self, principal: Principal) -> tuple[tuple[bytes, bytes], ...]:
        """See `Authorize.headers`."""
        token = await self._tokens.get(_OURS)
        return ((b"authorization", b"Bearer " + token.text.encode()),)

    def rejected(self, principal: Principal, headers: tuple[tuple[bytes, bytes], ...]) -> bool:
        """See `Authorize.rejected`."""
        return self._tokens.drop(_OURS, headers[0][1].removeprefix(b"Bearer ").decode())

    async def text(self) -> str:
        """The token itself, for a grant that shows it as `actor_token`. Raises `Refusal`."""
        return (await self._tokens.get(_OURS)).text

    async def aclose(self) -> None:
        """See `Authorize.aclose`."""
        await self._tokens.aclose()

    async def _obtain(self, key: str) -> Token:
        return await self._endpoint.ask(self._form)
