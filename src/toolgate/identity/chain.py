"""All the ways to say who calls, tried in order. Knows none of them."""

from collections.abc import Sequence

from toolgate.errors import Refusal
from toolgate.identity.bearer import token_of
from toolgate.model import Call, Principal
from toolgate.ports import Identify


class Chain:
    """Asks each in order; the first that knows the caller decides."""

    def __init__(self, ways: Sequence[Identify]) -> None:
        self._ways = tuple(ways)

    async def identify(self, call: Call) -> Principal:
        """Who calls. Raises `Refusal`: 401 where nobody knows or the credential is not accepted,
        503 where it cannot be checked at the moment."""
        if call.api_key is not None and call.authorization is not None:
            _refuse_two_credentials(call.authorization, call.api_key)
        for way in self._ways:
            principal = await way.identify(call)
            if principal is not None:
                return principal
        raise Refusal.unauthenticated(_why_nobody(call))


def _refuse_two_credentials(authorization: str, api_key: str) -> None:
    # Whoever reads the other one would see another caller than we do.
    if token_of(authorization) != api_key:
        raise Refusal.unauthenticated("two different credentials in one call")


def _why_nobody(call: Call) -> str:
    if call.authorization is None and call.api_key is None:
        return "no credential"
    if call.authorization is not None and token_of(call.authorization) is None:
        return "the authorization header is not a well-formed bearer credential"
    return "no accepted kind of credential"
