"""Proxies in front of the gateway that are believed what they forward. Everybody else's word counts for nothing."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address

from toolgate.identity.peer import Peer, peer_of, thumbprint
from toolgate.model import Call

Network = IPv4Network | IPv6Network

_MAX_ELEMENT = 16 * 1024


class Proxies:
    """Believed by address: the connection's own, never a header's."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)
        self._is_one = lru_cache(maxsize=1024)(self._lies_within)

    def sent(self, call: Call) -> bool:
        """Whether the call comes from one of them."""
        return bool(self._networks) and self._is_one(call.client_ip)

    def peer(self, call: Call) -> Peer | None:
        """Whose certificate the client showed: here, or to a proxy of ours (`x-forwarded-client-cert`).

        The certificate of a proxy's own connection is never its client's.
        """
        shown = call.shown
        if shown is None:
            return None
        if self.sent(call):
            forwarded = shown.forwarded_certificate
            return None if forwarded is None else read_forwarded(forwarded)
        return None if shown.certificate is None else peer_of(shown.certificate)

    def _lies_within(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        parsed = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(parsed.version == one.version and parsed in one for one in self._networks)


def read_forwarded(header: str) -> Peer | None:
    """The last element, which our proxy added; those before it are what others told the proxy.

    Keys are `Hash` (SHA-256 in hex), `URI` and `DNS`, as Envoy writes them. None where it cannot be read.
    """
    if len(header) > _MAX_ELEMENT:
        return None
    pairs = _pairs(header)
    if pairs is None:
        return None
    digests = [value for key, value in pairs if key == "hash"]
    try:
        digest = bytes.fromhex(digests[0]) if len(digests) == 1 else b""
    except ValueError:
        return None
    if len(digest) != 32:
        return None
    uris = tuple(value for key, value in pairs if key == "uri" and value)
    names = tuple(value for key, value in pairs if key == "dns" and value)
    return Peer((*uris, *names), thumbprint(digest), None)


def _pairs(header: str) -> list[tuple[str, str]] | None:
    """The pairs of the last element; None where quotes do not close."""
    elements: list[list[str]] = [[""]]
    quoted = escaped = False
    for sign in header:
        if escaped:
            escaped = False
        elif sign == "\\" and quoted:
            escaped = True
            continue
        elif sign == '"':
            quoted = not quoted
            continue
        elif sign == "," and not quoted:
            elements.append([""])
            continue
        elif sign == ";" and not quoted:
            elements[-1].append("")
            continue
        elements[-1][-1] += sign
    if quoted or escaped:
        return None
    found = [pair.partition("=") for pair in elements[-1]]
    return [(key.strip().lower(), value.strip()) for key, _, value in found]
