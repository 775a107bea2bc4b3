"""Certificates as identities: X.509-SVIDs, which subject stands for whom, and when they are over."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from identity_support import NOW, Hand, call

from toolgate.errors import Refusal
from toolgate.identity.certificates import Certificates, Subject
from toolgate.identity.peer import peer_of
from toolgate.identity.proxies import Proxies, read_forwarded
from toolgate.model import Call, Shown

KEY = ec.generate_private_key(ec.SECP256R1())
AGENTS = "spiffe://example.org/agents/"


def der(*names: x509.GeneralName, common: str = "cn.example") -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    end = datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=60)
    builder = x509.CertificateBuilder(subject, subject, KEY.public_key(), 1, end - timedelta(days=1), end)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(list(names)), critical=False)
    return builder.sign(KEY, SHA256()).public_bytes(Encoding.DER)


def uri(text: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(text)


def showing(certificate: bytes | None, **more: Any) -> Call:
    made = call()
    made.shown = Shown("POST", "https://x", "/mcp", certificate=certificate, **more)
    return made


@pytest.fixture
def certificates(clock: Hand) -> Certificates:
    subjects = [
        Subject(AGENTS + "reader", whole=True, agent="reader", tenant="acme"),
        Subject(AGENTS, whole=False, roles=("agent",)),
        Subject("ops.example", whole=True),
    ]
    return Certificates(subjects, Proxies([]), clock)


async def test_a_svid_is_the_agent_and_the_first_subject_that_fits_counts(certificates: Certificates) -> None:
    reader = await certificates.identify(showing(der(uri(AGENTS + "reader"))))
    writer = await certificates.identify(showing(der(uri(AGENTS + "writer"))))
    assert reader is not None
    assert writer is not None
    assert (reader.agent, reader.tenant, reader.roles) == ("reader", "acme", ())
    assert (writer.agent, writer.tenant, writer.roles) == (AGENTS + "writer", None, ("agent",))
    assert await certificates.identify(showing(der(uri(AGENTS + "reader")))) is not None


async def test_the_same_certificate_is_the_same_principal(certificates: Certificates) -> None:
    shown = showing(der(x509.DNSName("ops.example")))
    assert await certificates.identify(shown) is await certificates.identify(shown)


@pytest.mark.parametrize(
    "certificate",
    [
        der(uri("spiffe://example.org.evil/agents/reader")),
        der(uri("spiffe://example.org/agent")),
        der(uri(AGENTS + "reader"), uri("spiffe://evil.example/x")),
        der(x509.DNSName("ops.example.evil")),
        der(x509.DNSName("other.example"), common="ops.example"),
    ],
)
async def test_any_other_certificate_is_refused(certificates: Certificates, certificate: bytes) -> None:
    """A SVID has one URI; a common name counts only where there is nothing better."""
    with pytest.raises(Refusal) as caught:
        await certificates.identify(showing(certificate))
    assert caught.value.status == 401


async def test_a_connection_outlives_its_certificate_but_not_its_rights(
    certificates: Certificates, clock: Hand
) -> None:
    shown = showing(der(x509.DNSName("ops.example")))
    assert await certificates.identify(shown) is not None
    clock.now += 61
    with pytest.raises(Refusal, match="expired"):
        await certificates.identify(shown)


async def test_a_forwarded_certificate_of_a_stranger_is_none(certificates: Certificates) -> None:
    forwarded = f"Hash={'a' * 64};URI={AGENTS}reader"
    assert await certificates.identify(showing(None, forwarded_certificate=forwarded)) is None


async def test_the_certificate_of_a_proxys_own_connection_is_not_its_clients(clock: Hand) -> None:
    subjects = [Subject("proxy.example", whole=True), Subject(AGENTS, whole=False)]
    certificates = Certificates(subjects, Proxies([ip_network("192.0.2.1")]), clock)
    own = der(x509.DNSName("proxy.example"))
    assert await certificates.identify(showing(own)) is None
    forwarded = f"Hash={'a' * 64};URI={AGENTS}reader"
    reader = await certificates.identify(showing(own, forwarded_certificate=forwarded))
    assert reader is not None
    assert reader.agent == AGENTS + "reader"


async def test_a_token_comes_before_the_certificate(certificates: Certificates) -> None:
    shown = showing(der(x509.DNSName("ops.example")))
    shown.authorization = "Bearer x"
    assert await certificates.identify(shown) is None


def test_the_last_element_is_our_proxys_own() -> None:
    first, last = f"Hash={'a' * 64};URI=spiffe://a/1", f'By="x,y;z";Hash={"b" * 64};URI=spiffe://a/2;DNS=d'
    peer = read_forwarded(f"{first},{last}")
    assert peer is not None
    assert peer.names == ("spiffe://a/2", "d")


@given(st.text(alphabet='Hash=URI;,"\\ab0f:/x', max_size=200))
def test_whatever_a_header_says_is_read_or_nothing(header: str) -> None:
    peer = read_forwarded(header)
    assert peer is None or peer.expires is None


@given(st.binary(max_size=200))
def test_whatever_a_certificate_is_it_is_read_or_nothing(raw: bytes) -> None:
    assert peer_of(raw) is None
