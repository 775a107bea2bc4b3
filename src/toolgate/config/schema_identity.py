"""The keys of `identity:`. Knows who is believed and which claim says what, not how a token is verified."""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    ValidationInfo,
    field_validator,
    model_validator,
)

from toolgate.config.address import HttpUrl, http_url, is_safe_transport
from toolgate.config.schema_auth import OAuthClient
from toolgate.config.section import Fault, Section, raise_faults, written, wrong
from toolgate.config.units import Moment, Seconds, between
from toolgate.config.values import ExistingFile, Names, Text, in_folder, no_such

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"
]


def _key_source(value: str, info: ValidationInfo) -> str:
    """A URL, or the path of a file that is there."""
    if "://" in value:
        return http_url(value)
    path = in_folder(value, info)
    if info.context and not path.is_file():
        raise no_such("file")
    return str(path)


def _safe(value: str) -> str:
    if not is_safe_transport(value):
        raise wrong("tokens would travel readable over plain http.", "Use https.")
    return value


def _hash(value: str) -> str:
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", value):
        raise wrong(
            "expected 'sha256:' and 64 hex digits in lower case.",
            "Make a key and its hash with 'toolgate key new'.",
        )
    return value


def _task(value: object) -> object:
    return {"id": value} if isinstance(value, str) else value


class Claims(Section):
    """Which claim of a token fills which field of the caller. Of several names, the first present counts."""

    agent: Names = written(["azp", "client_id"])
    """The program that calls."""
    user: Names = written(["sub"])
    """The person it calls for."""
    tenant: Names = written(["tenant"])
    """The organisation both belong to."""
    roles: Names = written(["roles"])
    """Roles, as a list or as words separated by spaces."""
    scopes: Names = written(["scope"])
    """Scopes, as a list or as words separated by spaces."""
    tags: Names = written(["tags"])
    """Free marks for policies."""
    task: Names = written(["task"])
    """The task the caller acts under: an id, or an object with `id`, `name` and `attributes`."""


class Introspection(Section):
    """Asking an issuer about tokens that say nothing themselves (RFC 7662)."""

    url: Annotated[HttpUrl, AfterValidator(_safe)]
    """Its introspection endpoint."""
    client: OAuthClient
    """Who the gateway is there."""
    remember: Annotated[Seconds, between("0s", "1h")] = written("1s")
    """How long an answer counts. A token that is revoked works for as long at most."""


class Issuer(Section):
    """An authorization server whose tokens are accepted."""

    issuer: HttpUrl
    """What the `iss` claim must say, to the letter."""
    audience: Names = Field(min_length=1)
    """What the `aud` claim must contain: any one of these. Tokens made for others are refused."""
    jwks: Annotated[Text, AfterValidator(_key_source)] | None = Field(None, repr=False)
    """URL or file of its public keys; left out, they are found by OIDC discovery."""
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = ("RS256", "ES256", "EdDSA")
    """Signature algorithms accepted. There is no way to accept unsigned tokens."""
    introspection: Introspection | None = None
    """How to ask about its tokens that are no JWTs."""
    claims: Claims = written({})
    """Which claim fills which field."""
    leeway: Annotated[Seconds, between("0s", "5m")] = written("30s")
    """How far its clock may be off ours."""

    @model_validator(mode="after")
    def _keys_arrive_unchanged(self) -> "Issuer":
        source = self.jwks or self.issuer
        if "://" in source and not is_safe_transport(source):
            key = "jwks" if self.jwks else "issuer"
            fault = wrong(
                "keys fetched over plain http can be replaced on the way.",
                "Use https, or name a file with 'jwks:'.",
            )
            raise_faults("Issuer", [((key,), fault)])
        return self


class TaskOfKey(Section):
    """A task that a key always acts under."""

    id: Text
    """Its id, as policies name it."""
    name: str = ""
    """A name for people."""
    attributes: Mapping[str, Any] = written({})
    """What conditions see as `task.attributes`."""


class PreviousKey(Section):
    """A key that was replaced."""

    hash: Annotated[str, AfterValidator(_hash)]
    """Its hash."""
    until: Moment
    """From this moment on it is refused."""


class ApiKey(Section):
    """A service that identifies itself with a key of the gateway's own."""

    id: Text
    """Names the key in records."""
    hash: Annotated[str, AfterValidator(_hash)]
    """`sha256:` and the digest of the key in lower-case hex; `toolgate key new` makes both."""
    agent: Text | None = None
    """The program that calls; left out, the key's id."""
    user: Text | None = None
    """The person it calls for."""
    tenant: Text | None = None
    """The organisation both belong to."""
    roles: tuple[Text, ...] = ()
    """Roles."""
    scopes: tuple[Text, ...] = ()
    """Scopes."""
    tags: tuple[Text, ...] = ()
    """Free marks for policies."""
    task: Annotated[TaskOfKey, BeforeValidator(_task, json_schema_input_type=str | TaskOfKey)] | None = None
    """The task it acts under: an id, or `id`, `name` and `attributes`."""
    expires: Moment | None = None
    """From this moment on the key is refused."""
    previous: tuple[PreviousKey, ...] = ()
    """Keys it replaces, which are accepted for a while longer."""


class KeyFile(Section):
    """A file of API keys, kept by `toolgate key`."""

    keys: tuple[ApiKey, ...] = ()
    """The keys, as under `identity.api_keys`."""

    @field_validator("keys")
    @classmethod
    def _no_one_twice(cls, keys: tuple[ApiKey, ...]) -> tuple[ApiKey, ...]:
        faults = [
            *_repeated("keys", "id", [key.id for key in keys]),
            *_repeated("keys", "hash", hashes(keys)),
        ]
        raise_faults("KeyFile", [(path[1:], fault) for path, fault in faults])
        return keys


def hashes(keys: Iterable[ApiKey]) -> list[str]:
    """Every hash that some key is accepted by."""
    return [text for key in keys for text in (key.hash, *(former.hash for former in key.previous))]


def _subject(value: str) -> str:
    if "*" in value[:-1]:
        raise wrong("'*' stands at the end only, for the rest of the name.")
    if value in ("*", "spiffe://*"):
        raise wrong("this stands for everybody.", "Name a trust domain: 'spiffe://example.org/*'.")
    return value


class CertificateSubject(Section):
    """Callers known by a client certificate, or by the one a proxy saw."""

    subject: Annotated[Text, AfterValidator(_subject)]
    """A URI or DNS name of the certificate, such as `spiffe://example.org/agents/*`; the common name of one
    that has neither."""
    agent: Text | None = None
    """The program that calls; left out, the name in the certificate."""
    tenant: Text | None = None
    """The organisation it belongs to."""
    roles: tuple[Text, ...] = ()
    """Roles."""
    scopes: tuple[Text, ...] = ()
    """Scopes."""
    tags: tuple[Text, ...] = ()
    """Free marks for policies."""


def _network(value: object) -> str:
    try:
        return str(ipaddress.ip_network(value if isinstance(value, str) else ""))
    except ValueError:
        raise wrong("expected an IP address or network, such as 10.1.0.0/16.") from None


class TrustedProxies(Section):
    """Proxies in front of the gateway that are believed what they forward."""

    addresses: Annotated[
        tuple[Annotated[str, PlainValidator(_network, json_schema_input_type=str)], ...], Field(min_length=1)
    ]
    """Where they connect from. The headers of everybody else count for nothing."""
    forwarded_user: Annotated[bool, Field(strict=True)] = False
    """Whether `x-forwarded-user` names the caller of a request without a credential."""


def _trust_domain(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9._-]{1,255}", value):
        raise wrong("a trust domain is written like a host name, in lower case.")
    return value


class TrustDomain(Section):
    """A SPIFFE trust domain whose JWT-SVIDs are accepted."""

    name: Annotated[Text, AfterValidator(_trust_domain)]
    """Its name, such as `example.org`."""
    audience: Names = Field(min_length=1)
    """What the `aud` claim must contain: any one of these."""
    bundle: Annotated[Text, AfterValidator(_key_source)] = Field(repr=False)
    """URL or file of its bundle, a JWKS."""

    @field_validator("bundle")
    @classmethod
    def _arrives_unchanged(cls, bundle: str) -> str:
        if "://" in bundle and not is_safe_transport(bundle):
            raise wrong(
                "keys fetched over plain http can be replaced on the way.", "Use https, or name a file."
            )
        return bundle


def _target_pattern(value: str) -> str:
    if value != "*" and not re.fullmatch(r"[A-Za-z0-9._*-]+/.+", value, re.DOTALL):
        raise wrong("expected 'server/name', where '*' stands for anything.", "'server/*' is a whole server.")
    return value


TargetPattern = Annotated[Text, AfterValidator(_target_pattern)]


class Agent(Section):
    """A program that calls, as its owner registered it."""

    owner: Text | None = None
    """Who answers for it."""
    type: Text | None = None
    """What it is."""
    version: Text | None = None
    """Which one."""
    tools: tuple[TargetPattern, ...] | None = None
    """The tools it may call at most, whatever policies allow: `server/tool`, globs allowed. Left out: any."""
    resources: tuple[TargetPattern, ...] | None = None
    """The resources it may read at most."""
    prompts: tuple[TargetPattern, ...] | None = None
    """The prompts it may get at most."""
    state: Literal["active", "suspended"] = "active"
    """`suspended` ends its calls under way and refuses every other until it is active again."""


class Local(Section):
    """The caller of `toolgate run --stdio`: whoever started it, without a credential."""

    user: Text | None = None
    """The person; left out, the name of the account."""
    agent: Text | None = None
    """The program that calls."""
    tenant: Text | None = None
    """The organisation both belong to."""
    roles: tuple[Text, ...] = ()
    """Roles."""
    scopes: tuple[Text, ...] = ()
    """Scopes."""
    tags: tuple[Text, ...] = ()
    """Free marks for policies."""


class Identity(Section):
    """Who may call."""

    issuers: tuple[Issuer, ...] = ()
    """Authorization servers whose tokens are accepted."""
    api_keys: tuple[ApiKey, ...] = ()
    """Services with a key of the gateway's own."""
    key_file: ExistingFile | None = None
    """A file of further API keys, kept by `toolgate key new|rotate|revoke --file`."""
    agents: Mapping[Text, Agent] = written({})
    """Agents by the name that their credentials give them."""
    unregistered_agents: Literal["allow", "deny"] = "allow"
    """Whether agents that are not listed may call."""
    trust_domains: tuple[TrustDomain, ...] = ()
    """SPIFFE trust domains whose JWT-SVIDs are accepted."""
    certificates: tuple[CertificateSubject, ...] = ()
    """Callers known by their certificate; the first subject that fits counts."""
    proxies: TrustedProxies | None = None
    """Proxies that are believed what they forward of their clients."""
    local: Local | None = None
    """The caller of `toolgate run --stdio`; left out, that person has no roles. Nobody else is let in by it."""
    anonymous: Literal["deny", "loopback"] = "deny"
    """What happens to a call without a credential; `loopback` accepts it, for trials on one machine."""

    @model_validator(mode="after")
    def _someone_and_no_one_twice(self) -> "Identity":
        faults = [
            *_repeated("issuers", "issuer", [issuer.issuer for issuer in self.issuers]),
            *_repeated("trust_domains", "name", [domain.name for domain in self.trust_domains]),
            *_repeated("api_keys", "id", [key.id for key in self.api_keys]),
            *_repeated("api_keys", "hash", hashes(self.api_keys)),
        ]
        somebody = self.issuers or self.api_keys or self.key_file or self.trust_domains or self.certificates
        forwarded = self.proxies is not None and self.proxies.forwarded_user
        if not somebody and not forwarded and self.local is None and self.anonymous == "deny":
            remedy = (
                "Add 'issuers:' or 'api_keys:', 'local: {}' for 'toolgate run --stdio', or for a trial on this "
                "machine 'anonymous: loopback'."
            )
            faults.append(((), wrong("nobody can be identified, so every call would be refused.", remedy)))
        raise_faults("Identity", faults)
        return self


def _repeated(section: str, key: str, values: list[str]) -> Iterator[Fault]:
    for at, value in enumerate(values):
        first = values.index(value)
        if first != at:
            yield (section, at, key), wrong(f"the same {key} as {section}[{first}].")
