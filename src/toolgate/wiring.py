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
    "certificates": "toolgate.identity.certificates:Certificates",
    "forwarded": "toolgate.identity.forwarded:Forwarded",
    "api_keys": "toolgate.identity.api_key:ApiKeys",
    "introspection": "toolgate.identity.introspection:Introspection",
    "local": "toolgate.identity.local:LocalUser",
    "issuers": "toolgate.identity.jwt:Jwt",
}
POLICIES = {
    "cel": "toolgate.policy.compilation:compile_policies",
}
SHAPES = {
    "cef": "toolgate.sinks.shapes.cef:shape",
    "ecs": "toolgate.sinks.shapes.ecs:shape",
    "ocsf": "toolgate.sinks.shapes.ocsf:shape",
    "record": "toolgate.sinks.shapes.record:shape",
}
SINKS = {
    "file": "toolgate.sinks.channels:file",
    "kafka": "toolgate.sinks.channels:kafka",
    "otlp": "toolgate.sinks.channels:otlp",
    "stdout": "toolgate.sinks.channels:stdout",
    "syslog": "toolgate.sinks.channels:syslog",
    "webhook": "toolgate.sinks.channels:webhook",
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
