"""Callers known by the certificate of their connection: mTLS and X.509-SVIDs. Tokens come before it."""

from collections.abc import Sequence

from msgspec import Struct

from toolgate.errors import Refusal
from toolgate.identity.peer import Peer
from toolgate.identity.proxies import Proxies
from toolgate.model import Call, Principal
from toolgate.ports import Clock

_KEPT = 10_000


class Subject(Struct, frozen=True):
    """Whom one pattern of names stands for."""

    head: str
    """How the name begins, or the whole of it."""
    whole: bool
    agent: str | None = None
    tenant: str | None = None
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def fits(self, name: str) -> bool:
        """Whether it stands for this name."""
        return name == self.head if self.whole else name.startswith(self.head)


class Certificates:
    """Accepts a certificate that a configured subject stands for."""

    def __init__(self, subjects: Sequence[Subject], proxies: Proxies, clock: Clock) -> None:
        """Of several subjects that fit, the first counts."""
        self._subjects = tuple(subjects)
        self._proxies = proxies
        self._clock = clock
        self._known: dict[str, Principal] = {}

    async def identify(self, call: Call) -> Principal | None:
        """The principal of the certificate; None without one, or where the call shows a credential.

        Raises `Refusal` for a certificate that stands for nobody, or is over.
        """
        if call.shown is None or call.authorization is not None or call.api_key is not None:
            return None
        peer = self._proxies.peer(call)
        return None if peer is None else self._principal(peer)

    def _principal(self, peer: Peer) -> Principal:
        principal = self._known.get(peer.thumbprint)
        if principal is None:
            principal = self._made(peer)
            if len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[peer.thumbprint] = principal
        if principal.expires is not None and self._clock() >= principal.expires:
            raise Refusal.unauthenticated("the client's certificate has expired")
        return principal

    def _made(self, peer: Peer) -> Principal:
        if sum("://" in name for name in peer.names) > 1:
            raise Refusal.unauthenticated("the client's certificate has several URIs")
        for subject in self._subjects:
            for name in peer.names:
                if subject.fits(name):
                    return Principal(
                        id=f"certificate:{name}",
                        method="certificate",
                        agent=subject.agent or name,
                        tenant=subject.tenant,
                        roles=subject.roles,
                        scopes=subject.scopes,
                        tags=subject.tags,
                        expires=peer.expires,
                    )
        raise Refusal.unauthenticated("the client's certificate stands for nobody here")
