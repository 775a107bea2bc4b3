"""Whether a token is shown by whoever it is bound to (`cnf`: RFC 7800, 8705, 9449). Asked at every call."""

from hmac import compare_digest
from typing import Any

from toolgate.errors import Refusal
from toolgate.identity.bearer import is_dpop
from toolgate.identity.dpop import Dpop
from toolgate.identity.proxies import Proxies
from toolgate.model import Call, Principal

_KNOWN = frozenset({"jkt", "x5t#S256"})


class Possession:
    """Checks what a verified token demands beside itself."""

    def __init__(self, dpop: Dpop, proxies: Proxies) -> None:
        self._dpop = dpop
        self._proxies = proxies

    def held(self, principal: Principal, call: Call) -> Principal:
        """The principal, whose token is bound. Raises `Refusal` (401) where the caller does not hold the key."""
        confirmation = _known(principal.claims.get("cnf"))
        assert principal.credential is not None
        if "x5t#S256" in confirmation:
            peer = self._proxies.peer(call)
            if peer is None or not compare_digest(peer.thumbprint, confirmation["x5t#S256"]):
                raise Refusal.unauthenticated("the token is bound to a certificate that is not shown")
        if "jkt" in confirmation:
            self._dpop.check(call.shown, principal.credential.reveal(), confirmation["jkt"])
        return principal


def check_scheme(authorization: str, claims: dict[str, Any]) -> None:
    """A token bound to a key comes with the scheme that says so, and no other (RFC 9449, 7.1): shown as a bearer
    token, somebody took the proof off. Raises `Refusal` (401)."""
    confirmation = claims.get("cnf")
    bound = isinstance(confirmation, dict) and "jkt" in confirmation
    if bound is not is_dpop(authorization):
        raise Refusal.unauthenticated("the token's binding and the scheme it is shown with do not agree")


def _known(confirmation: Any) -> dict[str, str]:
    # What is bound in a way we cannot check is not free of it.
    if not isinstance(confirmation, dict) or not confirmation or not confirmation.keys() <= _KNOWN:
        raise Refusal.unauthenticated("the token is bound in a way that is not understood")
    if not all(isinstance(value, str) and value.isascii() for value in confirmation.values()):
        raise Refusal.unauthenticated("the token's binding is malformed")
    return confirmation
