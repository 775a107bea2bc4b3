"""Who is at the other end of a connection, by its certificate. Knows no authorities: TLS asked those."""

from base64 import urlsafe_b64encode
from functools import lru_cache
from hashlib import sha256

from cryptography import x509
from cryptography.x509.oid import NameOID
from msgspec import Struct

_KEPT = 4096
"""Certificates read once; a connection shows the same one with every request."""


class Peer(Struct, frozen=True):
    """What a certificate says."""

    names: tuple[str, ...]
    """URIs, then DNS names of the subject's alternative names; the common name where there are none."""
    thumbprint: str
    """SHA-256 of the certificate, as `x5t#S256` writes it (RFC 8705, 3.1)."""
    expires: float | None
    """Unix seconds; None where only a proxy saw the certificate."""


@lru_cache(maxsize=_KEPT)
def peer_of(der: bytes) -> Peer | None:
    """Who shows this certificate; None where it cannot be read."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        names = _names(certificate)
    except ValueError:
        return None
    return Peer(names, thumbprint(sha256(der).digest()), certificate.not_valid_after_utc.timestamp())


def thumbprint(digest: bytes) -> str:
    """A digest as tokens write it."""
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return tuple(str(name.value) for name in common[:1])
    uris = found.get_values_for_type(x509.UniformResourceIdentifier)
    return (*uris, *found.get_values_for_type(x509.DNSName))
