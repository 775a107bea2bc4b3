"""What a server is shown (`servers.X.auth`) and what it demands of callers (`servers.X.scopes`). Part of the
compiler; no call comes here."""

from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable, Mapping

from toolgate.config.schema_auth import (
    Auth,
    BasicAuth,
    BearerAuth,
    ClientCredentialsAuth,
    ForwardAuth,
    HeaderAuth,
    NoAuth,
    OAuthClient,
    OnBehalfOfAuth,
    TokenExchangeAuth,
)
from toolgate.config.schema_servers import Server
from toolgate.model import Call, Principal
from toolgate.policy.step_up import StepUp
from toolgate.ports import Authorize, Clock, Decide, Http
from toolgate.protocol.client_authentication import Prove, SecretInBody, SecretInHeader, SignedAssertion
from toolgate.upstreams.auth.authorized import AuthorizedHttp, caller
from toolgate.upstreams.auth.token_endpoint import TokenEndpoint
from toolgate.wiring import AUTHORIZERS, load

_PER_CALL = (ForwardAuth, ClientCredentialsAuth, TokenExchangeAuth, OnBehalfOfAuth)


def fixed(auth: Auth) -> tuple[tuple[bytes, bytes], ...]:
    """The headers of a credential that is the same for every call."""
    if isinstance(auth, BearerAuth):
        return ((b"authorization", b"Bearer " + auth.token.get_secret_value().encode()),)
    if isinstance(auth, HeaderAuth):
        return ((auth.name.lower().encode(), auth.value.get_secret_value().encode()),)
    if isinstance(auth, BasicAuth):
        pair = f"{auth.username}:{auth.password.get_secret_value()}"
        return ((b"authorization", b"Basic " + b64encode(pair.encode())),)
    return ()


def per_caller(auth: Auth) -> bool:
    """Whether the server can tell callers apart by what it is shown."""
    return not isinstance(auth, NoAuth | BearerAuth | HeaderAuth | BasicAuth | ClientCredentialsAuth)


def shown(auth: Auth, http: Http, clock: Clock) -> Callable[[Http], Http]:
    """Makes a client of the server one that shows a credential got for each call, where there is such."""
    authorize = _authorizer(auth, http, clock)
    return (
        (lambda client: client) if authorize is None else (lambda client: AuthorizedHttp(client, authorize))
    )


def told(
    servers: Iterable[object], identify: Callable[[Call], Awaitable[Principal]]
) -> Callable[[Call], Awaitable[Principal]]:
    """`identify`, which tells the clients of `shown` whose call it is, where a server has one."""
    if not any(isinstance(getattr(server, "auth", None), _PER_CALL) for server in servers):
        return identify

    async def identified(call: Call) -> Principal:
        principal = await identify(call)
        caller.set(principal)
        return principal

    return identified


def demanded(servers: Mapping[str, Server], policy: Decide) -> Decide:
    """The policy, for callers who have the scopes that servers demand."""
    demands = {name: server.scopes for name, server in servers.items() if server.scopes}
    return StepUp(policy, demands) if demands else policy


def _authorizer(auth: Auth, http: Http, clock: Clock) -> Authorize | None:
    made: Authorize | None = None
    if isinstance(auth, ForwardAuth):
        made = load(AUTHORIZERS["forward"])(auth.audience)
    elif isinstance(auth, _PER_CALL):
        endpoint = TokenEndpoint(http, auth.token_url, client_of(auth.client, clock), clock)
        wanted = {"scope": " ".join(auth.scopes), "resource": auth.resource, "audience": auth.audience}
        parameters = {name: value for name, value in wanted.items() if value}
        more = {"actor": auth.actor == "gateway"} if isinstance(auth, TokenExchangeAuth) else {}
        made = load(AUTHORIZERS[auth.type])(endpoint, parameters, clock, **more)
    return made


def client_of(client: OAuthClient, clock: Clock) -> Prove:
    """How this client proves itself."""
    if client.private_key is not None:
        return SignedAssertion(client.id, client.private_key.get_secret_value(), client.key_id, clock)
    assert client.secret is not None
    show = SecretInHeader if client.auth_method == "client_secret_basic" else SecretInBody
    return show(client.id, client.secret.get_secret_value())
