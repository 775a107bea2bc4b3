"""The keys of `identity:` become the ways to say who calls, in the order they are tried. Part of the compiler."""

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from ipaddress import ip_network
from secrets import token_hex

from toolgate.authorization import client_of
from toolgate.config.schema import GatewayConfig
from toolgate.config.schema_identity import ApiKey, CertificateSubject, Issuer, TrustDomain
from toolgate.identity import api_key
from toolgate.identity.certificates import Subject
from toolgate.identity.claims import ClaimMap
from toolgate.identity.dpop import Dpop, Replays
from toolgate.identity.introspection import Endpoint, Introspected
from toolgate.identity.key_source import key_source
from toolgate.identity.local import Local
from toolgate.identity.possession import Possession
from toolgate.identity.proxies import Proxies
from toolgate.identity.signed_token import Issuer as TrustedIssuer
from toolgate.identity.verified import Verified
from toolgate.model import Task
from toolgate.pool import Holder
from toolgate.ports import Clock, Http, Identify
from toolgate.wiring import IDENTITIES, load


class Identities:
    """Makes the ways of one config."""

    def __init__(
        self, config: GatewayConfig, holder: Holder, http: Http, clock: Clock, replays: Replays
    ) -> None:
        self._identity = config.identity
        self._holder = holder
        self._http = http
        self._clock = clock
        networks = self._identity.proxies.addresses if self._identity.proxies is not None else ()
        self._proxies = Proxies([ip_network(network) for network in networks])
        self._possession = Possession(Dpop(replays, clock, config.public_url), self._proxies)

    def ways(self) -> Iterator[Identify]:
        """Keys and tokens first: who shows one is not known by anything else."""
        identity = self._identity
        if identity.api_keys:
            yield load(IDENTITIES["api_keys"])([_key_of(key) for key in identity.api_keys], self._clock)
        if identity.issuers or identity.trust_domains:
            trusted = [
                *map(self._trusted, identity.issuers),
                *map(self._trust_domain, identity.trust_domains),
            ]
            yield load(IDENTITIES["issuers"])(trusted, self._clock, possession=self._possession)
        asked = [one for one in identity.issuers if one.introspection is not None]
        if asked:
            issuers = [self._introspected(one) for one in asked]
            make = partial(load(IDENTITIES["introspection"]), issuers, self._clock, self._possession)
            yield self._holder.hold(f"introspection {token_hex()}", make)
        if identity.certificates:
            subjects = [_subject(one) for one in identity.certificates]
            yield load(IDENTITIES["certificates"])(subjects, self._proxies, self._clock)
        if identity.proxies is not None and identity.proxies.forwarded_user:
            yield load(IDENTITIES["forwarded"])(self._proxies)
        yield load(IDENTITIES["local"])(
            Local() if identity.local is None else Local(**identity.local.model_dump())
        )
        if identity.anonymous == "loopback":
            yield load(IDENTITIES["anonymous"])()

    def _trusted(self, issuer: Issuer) -> TrustedIssuer:
        keys = partial(key_source, issuer.issuer, issuer.jwks, self._http, self._clock)
        claims = {field: tuple(getattr(issuer.claims, field)) for field in ClaimMap.__struct_fields__}
        known = f"verified {issuer.model_dump_json()} {_written_at(issuer.jwks)}"
        return TrustedIssuer(
            issuer=issuer.issuer,
            audiences=tuple(issuer.audience),
            keys=self._holder.hold(f"keys {issuer.issuer} {issuer.jwks}", keys),
            verified=self._holder.hold(known, Verified),
            algorithms=tuple(issuer.algorithms),
            claims=ClaimMap(**claims),
            leeway=int(issuer.leeway),
        )

    def _trust_domain(self, domain: TrustDomain) -> TrustedIssuer:
        name = f"spiffe://{domain.name}"
        keys = partial(key_source, name, domain.bundle, self._http, self._clock)
        known = f"verified {name} {domain.model_dump_json()} {domain.bundle} {_written_at(domain.bundle)}"
        return TrustedIssuer(
            issuer=name,
            audiences=tuple(domain.audience),
            keys=self._holder.hold(f"keys {name} {domain.bundle}", keys),
            verified=self._holder.hold(known, Verified),
            claims=ClaimMap(agent=("sub",), user=()),
            svid=True,
        )

    def _introspected(self, issuer: Issuer) -> Introspected:
        asking = issuer.introspection
        assert asking is not None
        endpoint = Endpoint(self._http, asking.url, client_of(asking.client, self._clock))
        return Introspected(self._trusted(issuer), endpoint, asking.remember)


def _key_of(key: ApiKey) -> api_key.ApiKey:
    task = None if key.task is None else Task(key.task.id, key.task.name, dict(key.task.attributes))
    return api_key.ApiKey(
        id=key.id,
        hash=key.hash,
        agent=key.agent,
        user=key.user,
        tenant=key.tenant,
        roles=key.roles,
        scopes=key.scopes,
        tags=key.tags,
        task=task,
        expires=key.expires,
        previous=tuple((former.hash, former.until) for former in key.previous),
    )


def _subject(subject: CertificateSubject) -> Subject:
    return Subject(
        head=subject.subject.removesuffix("*"),
        whole=not subject.subject.endswith("*"),
        agent=subject.agent,
        tenant=subject.tenant,
        roles=subject.roles,
        scopes=subject.scopes,
        tags=subject.tags,
    )


def _written_at(jwks: str | None) -> int | None:
    # A key that is taken out of a file is out at once; from an address it goes as its set is fetched again.
    with suppress(OSError):
        return None if jwks is None or "://" in jwks else os.stat(jwks).st_mtime_ns
    return None
