"""The person who started the gateway on their own standard input. Knows no credential."""

from getpass import getuser
from os import getuid

from msgspec import Struct

from toolgate.model import Call, Principal


class Local(Struct, frozen=True):
    """What the config says of that person."""

    user: str | None = None
    """Left out: the name of the account."""
    agent: str | None = None
    tenant: str | None = None
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class LocalUser:
    """Knows the calls that came over standard input: whoever started this process sent them."""

    def __init__(self, local: Local) -> None:
        user = local.user or _account()
        self._principal = Principal(
            id=f"local:{user}",
            method="local",
            agent=local.agent,
            user=user,
            tenant=local.tenant,
            roles=local.roles,
            scopes=local.scopes,
            tags=local.tags,
        )

    async def identify(self, call: Call) -> Principal | None:
        """The principal for a call over standard input, else None."""
        return self._principal if call.local else None


def _account() -> str:
    try:
        return getuser()
    except (KeyError, OSError):
        return f"uid-{getuid()}"
