"""The keys of `identity:`. Knows who is believed and which claim says what, not how a token is verified."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from toolgate.config.address import HttpUrl, http_url, is_safe_transport
from toolgate.config.section import Fault, Section, raise_faults, written, wrong
from toolgate.config.units import Moment, Seconds, between
from toolgate.config.values import Names, Text, in_folder, no_such

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


class Identity(Section):
    """Who may call."""

    issuers: tuple[Issuer, ...] = ()
    """Authorization servers whose tokens are accepted."""
    api_keys: tuple[ApiKey, ...] = ()
    """Services with a key of the gateway's own."""
    anonymous: Literal["deny", "loopback"] = "deny"
    """What happens to a call without a credential; `loopback` accepts it, for trials on one machine."""

    @model_validator(mode="after")
    def _someone_and_no_one_twice(self) -> "Identity":
        faults = [
            *_repeated("issuers", "issuer", [issuer.issuer for issuer in self.issuers]),
            *_repeated("api_keys", "id", [key.id for key in self.api_keys]),
            *_repeated("api_keys", "hash", [key.hash for key in self.api_keys]),
        ]
        if not self.issuers and not self.api_keys and self.anonymous == "deny":
            remedy = "Add 'issuers:' or 'api_keys:', or for a trial on this machine 'anonymous: loopback'."
            faults.append(((), wrong("nobody can be identified, so every call would be refused.", remedy)))
        raise_faults("Identity", faults)
        return self


def _repeated(section: str, key: str, values: list[str]) -> Iterator[Fault]:
    for at, value in enumerate(values):
        first = values.index(value)
        if first != at:
            yield (section, at, key), wrong(f"the same {key} as {section}[{first}].")
