"""The one list of extensions: kind -> name -> where it is. Nothing is imported before a config names it."""

from importlib import import_module
from typing import Any

AUTHORIZERS = {
    "client_credentials": "toolgate.upstreams.auth.client_credentials:ClientCredentials",
    "forward": "toolgate.upstreams.auth.forward:Forward",
    "on_behalf_of": "toolgate.upstreams.auth.token_exchange:OnBehalfOf",
    "token_exchange": "toolgate.upstreams.auth.token_exchange:TokenExchange",
}
IDENTITIES = {
    "anonymous": "toolgate.identity.anonymous:Anonymous",
    "api_keys": "toolgate.identity.api_key:ApiKeys",
    "issuers": "toolgate.identity.jwt:Jwt",
}
POLICIES = {
    "cel": "toolgate.policy.compilation:compile_policies",
}
TALLIES = {
    "memory": "toolgate.policy.tally:Memory",
}
UPSTREAMS = {
    "http": "toolgate.upstreams.http_server:HttpServer",
    "sse": "toolgate.upstreams.http_sse:HttpSse",
    "stdio": "toolgate.upstreams.stdio:Stdio",
}


def load(place: str) -> Any:
    """What stands at `package.module:name`."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
