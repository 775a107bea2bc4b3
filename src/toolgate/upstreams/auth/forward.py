"""The caller's own token, passed on where it was issued for the server as well. For migrations."""

from toolgate.errors import Refusal
from toolgate.model import Principal


class Forward:
    """Meets `Authorize`. Passing on a token made for us alone is what the specification forbids."""

    def __init__(self, audience: str) -> None:
        self._audience = audience

    async def headers(self, principal: Principal) -> tuple[tuple[bytes, bytes], ...]:
        """See `Authorize.headers`."""
        audience = principal.claims.get("aud")
        shared = self._audience in ([audience] if isinstance(audience, str) else audience or ())
        if principal.credential is None or not shared:
            reason = f"the caller has no token whose aud is {self._audience}, so none is forwarded"
            raise Refusal.denied(
                "upstream", "This server needs a token that is issued for it, too.", reason=reason
            )
        return ((b"authorization", b"Bearer " + principal.credential.reveal().encode()),)

    def rejected(self, principal: Principal, headers: tuple[tuple[bytes, bytes], ...]) -> bool:
        """See `Authorize.rejected`: the caller's token is what it is."""
        return False

    async def aclose(self) -> None:
        """Nothing goes on."""
