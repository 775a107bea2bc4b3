"""One fixed principal for local trials. Knows where a call comes from, nothing else."""

from ipaddress import ip_address

from toolgate.model import Call, Principal


class Anonymous:
    """Lets a caller on this machine in without a credential.

    A call that carries one is not anonymous, even if nobody accepts it: a mistyped key must not
    quietly become another identity. Behind a proxy on the same machine every caller looks local.
    """

    def __init__(self) -> None:
        self._principal = Principal(id="anonymous", method="anonymous")

    async def identify(self, call: Call) -> Principal | None:
        """The principal for a call from loopback that carries no credential, else None."""
        if call.authorization is not None or call.api_key is not None:
            return None
        return self._principal if _is_loopback(call.client_ip) else None


def _is_loopback(address: str) -> bool:
    if address in ("127.0.0.1", "::1"):  # Parsing costs 1.5 us; these two are nearly all there are.
        return True
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    # A dual-stack socket names an IPv4 peer ::ffff:127.0.0.1, which Python 3.11 does not call loopback.
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback
