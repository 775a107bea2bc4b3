"""A token for one server on behalf of the caller, got for the caller's own (RFC 8693, and Entra's dialect).

One is kept per verified token, so nothing can reach another user, agent or set of rights.
"""

import time
from collections.abc import Mapping

from toolgate.errors import Refusal
from toolgate.model import Principal
from toolgate.ports import Clock
from toolgate.upstreams.auth.client_credentials import ClientCredentials
from toolgate.upstreams.auth.token_endpoint import Token, TokenEndpoint, TokenError
from toolgate.upstreams.auth.tokens import Tokens

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - the name of a type
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ASSERTION = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class _OfTheCaller:
    """What both dialects share: who may use it, and what is kept under which key."""

    def __init__(self, endpoint: TokenEndpoint, parameters: Mapping[str, str], clock: Clock) -> None:
        self._endpoint = endpoint
        self._parameters = dict(parameters)
        # By the object of the principal: there is one per verified credential.
        self._tokens = Tokens(self._obtain, clock)

    async def headers(self, principal: Principal) -> tuple[tuple[bytes, bytes], ...]:
        """See `Authorize.headers`."""
        if principal.credential is None:
            reason = f"a caller known by {principal.method} has no token to exchange"
            raise Refusal.denied("upstream", "This server needs a caller with a token.", reason=reason)
        token = await self._tokens.get(principal)
        return ((b"authorization", b"Bearer " + token.text.encode()),)

    def rejected(self, principal: Principal, headers: tuple[tuple[bytes, bytes], ...]) -> bool:
        """See `Authorize.rejected`."""
        return self._tokens.drop(principal, headers[0][1].removeprefix(b"Bearer ").decode())

    async def aclose(self) -> None:
        """See `Authorize.aclose`."""
        await self._tokens.aclose()

    async def _obtain(self, principal: Principal) -> Token:
        raise NotImplementedError


class TokenExchange(_OfTheCaller):
    """RFC 8693. With `actor`, the gateway shows a token of its own, so that `act` names it."""

    def __init__(
        self,
        endpoint: TokenEndpoint,
        parameters: Mapping[str, str],
        clock: Clock = time.time,
        *,
        actor: bool = True,
    ) -> None:
        super().__init__(endpoint, parameters, clock)
        self._actor = ClientCredentials(endpoint, {}, clock) if actor else None

    async def aclose(self) -> None:
        """See `Authorize.aclose`."""
        await super().aclose()
        if self._actor is not None:
            await self._actor.aclose()

    async def _obtain(self, principal: Principal) -> Token:
        form = {
            "grant_type": _EXCHANGE,
            "subject_token": _text(principal),
            "subject_token_type": ACCESS_TOKEN,
            "requested_token_type": ACCESS_TOKEN,
            **self._parameters,
        }
        if self._actor is not None:
            form["actor_token"] = await _own(self._actor)
            form["actor_token_type"] = ACCESS_TOKEN
        return await self._endpoint.ask(form)


class OnBehalfOf(_OfTheCaller):
    """Entra's on-behalf-of flow: the caller's token as an assertion."""

    async def _obtain(self, principal: Principal) -> Token:
        form = {
            "grant_type": _ASSERTION,
            "assertion": _text(principal),
            "requested_token_use": "on_behalf_of",
            **self._parameters,
        }
        return await self._endpoint.ask(form)


def _text(principal: Principal) -> str:
    assert principal.credential is not None
    return principal.credential.reveal()


async def _own(actor: ClientCredentials) -> str:
    try:
        return await actor.text()
    except Refusal as refusal:
        raise TokenError(f"the gateway's own token: {refusal.reason}") from refusal
