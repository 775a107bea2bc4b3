"""The keys of `servers.X.auth`: what the gateway shows a server. Knows neither tokens nor who calls."""

import re
from typing import Annotated, Any, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from toolgate.config.address import HttpUrl, is_safe_transport
from toolgate.config.section import Section, wrong
from toolgate.config.values import HeaderName, HeaderValue, Names, Text

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


def _token(value: SecretStr) -> SecretStr:
    if not _TOKEN.fullmatch(value.get_secret_value()):
        raise wrong(
            "a bearer token has only letters, digits and -._~+/=.",
            "Leave the word 'Bearer' out; for anything else use 'type: header'.",
        )
    return value


def _filled(value: SecretStr) -> SecretStr:
    if not value.get_secret_value() or "\0" in value.get_secret_value():
        raise wrong("a secret is text that says something.")
    return value


def _user_name(value: str) -> str:
    if ":" in value:
        raise wrong("a user name of basic authentication has no colon.")
    return value


def _token_url(value: str) -> str:
    if not is_safe_transport(value):
        raise wrong("credentials would travel readable over plain http.", "Use https.")
    return value


def _private_key(value: SecretStr) -> SecretStr:
    try:
        key: object = load_pem_private_key(value.get_secret_value().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise wrong(
            "this is no unencrypted private key in PEM.", "Refer to its file: ${file:/path}."
        ) from None
    p256 = isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp256r1"
    if not (p256 or isinstance(key, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey)):
        raise wrong("the key is neither RSA nor P-256 nor Ed25519.")
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < 2048:
        raise wrong("an RSA key has at least 2048 bits.")
    return value


BearerToken = Annotated[SecretStr, AfterValidator(_token)]
Secret = Annotated[SecretStr, AfterValidator(_filled)]
PrivateKey = Annotated[SecretStr, AfterValidator(_private_key)]
TokenUrl = Annotated[HttpUrl, AfterValidator(_token_url)]


class NoAuth(Section):
    """Nothing is shown; the caller's credential never reaches the server."""

    type: Literal["none"]
    """The kind."""


class BearerAuth(Section):
    """One token for every caller."""

    type: Literal["bearer"]
    """The kind."""
    token: BearerToken
    """The token, as a reference to a secret: `${env:NAME}`, `${file:/path}`."""


class HeaderAuth(Section):
    """One header for every caller, such as an API key."""

    type: Literal["header"]
    """The kind."""
    name: HeaderName
    """The header's name."""
    value: HeaderValue
    """Its value, as a reference to a secret."""


class BasicAuth(Section):
    """User name and password (RFC 7617)."""

    type: Literal["basic"]
    """The kind."""
    username: Annotated[Text, AfterValidator(_user_name)]
    """The user name."""
    password: Secret
    """The password, as a reference to a secret."""


class ForwardAuth(Section):
    """The caller's own token, for migrations: only a token that was issued for the server as well."""

    type: Literal["forward"]
    """The kind."""
    audience: Text
    """What the server demands as `aud`. It must also stand under `identity.issuers[].audience`, and in the
    token of each call."""


class OAuthClient(Section):
    """The gateway as a client of an authorization server."""

    id: Text
    """Its client id."""
    secret: Secret | None = None
    """Its secret, as a reference."""
    private_key: PrivateKey | None = None
    """A private key in PEM, as a reference: the client signs assertions instead (`private_key_jwt`)."""
    key_id: Text | None = None
    """The `kid` under which the authorization server knows the key."""
    auth_method: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"
    """How a secret is shown: in a header or in the body. A key is shown by `private_key_jwt` always."""

    @field_validator("private_key")
    @classmethod
    def _one_proof(cls, key: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if "secret" in info.data and (key is None) == (info.data["secret"] is None):
            raise wrong("a client has either 'secret' or 'private_key'.")
        return key


class _Grant(Section):
    token_url: TokenUrl
    """The token endpoint."""
    client: OAuthClient
    """Who the gateway is there."""
    scopes: Names = ()
    """Scopes asked for."""
    resource: HttpUrl | None = None
    """The server as RFC 8707 names it."""
    audience: Text | None = None
    """The server by the authorization server's own name, where it wants one."""


class ClientCredentialsAuth(_Grant):
    """A token of the gateway's own, for every caller."""

    type: Literal["client_credentials"]
    """The kind."""


class TokenExchangeAuth(_Grant):
    """A token for the caller's user, got for the caller's token (RFC 8693)."""

    type: Literal["token_exchange"]
    """The kind."""
    actor: Literal["gateway", "none"] = "gateway"
    """Whether the gateway shows a token of its own as `actor_token`, so that `act` names it."""


class OnBehalfOfAuth(_Grant):
    """The same in Entra's dialect: `jwt-bearer` with `requested_token_use=on_behalf_of`."""

    type: Literal["on_behalf_of"]
    """The kind."""


_KINDS = (
    "none",
    "bearer",
    "header",
    "basic",
    "client_credentials",
    "token_exchange",
    "on_behalf_of",
    "forward",
)


def _kind(value: Any) -> Any:
    if isinstance(value, str):
        value = {"type": value}
    if isinstance(value, dict) and value.get("type") not in _KINDS:
        # Not pydantic's own words: they repeat the value, which by mistake may be a token.
        raise wrong("'type' says which kind this is.", f"One of {', '.join(_KINDS)}.")
    return value


Auth = Annotated[
    Annotated[
        NoAuth
        | BearerAuth
        | HeaderAuth
        | BasicAuth
        | ForwardAuth
        | ClientCredentialsAuth
        | TokenExchangeAuth
        | OnBehalfOfAuth,
        Field(discriminator="type"),
    ],
    BeforeValidator(_kind),
]
