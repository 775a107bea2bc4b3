"""Servers behind https: trusted by an authority of one's own, shown the gateway's certificate (mTLS)."""

import ssl
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme
from fake_provider import Configured
from gateway_support import Bank, records

from toolgate.config.load import load
from toolgate.errors import ConfigError

CONFIG = """
listen: 127.0.0.1:{port}
admin: null
servers:
  mutual: {url: "<url>", tls: {ca: ca.pem, cert: gate.pem, key: gate.key}}
  anonymous: {url: "<url>", tls: {ca: ca.pem}}
  untrusted: {url: "<url>"}
identity: {anonymous: loopback}
policies: [policy.yaml]
"""
POLICY = "version: 1\nrules:\n  - {id: all, tools: ['*/read_account'], effect: allow}\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bank)
    server.daemon_threads = True
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    own = authority.issue_cert("gate.example")
    own.cert_chain_pems[0].write_to_path(str(folder / "gate.pem"))
    own.private_key_pem.write_to_path(str(folder / "gate.key"))
    text = CONFIG.replace("<url>", f"https://127.0.0.1:{server.server_address[1]}/mcp")
    gateway = Configured(folder, text, {"policy.yaml": POLICY})
    yield SimpleNamespace(gateway=gateway, folder=folder)
    gateway.stop()
    server.shutdown()
    server.server_close()


def test_the_server_sees_the_gateways_certificate(world: Any) -> None:
    assert world.gateway.call("mutual", None)[0] == 200
    assert Bank.seen[-1]["message"]["method"] == "tools/call"


@pytest.mark.parametrize("server", ["anonymous", "untrusted"])
def test_without_certificate_or_trust_nothing_is_sent(world: Any, server: str) -> None:
    seen = len(Bank.seen)
    # With TLS 1.3 a client learns of its missing certificate after it began to speak.
    assert world.gateway.call(server, None)[0] in (502, 503)
    assert len(Bank.seen) == seen
    assert records(world.gateway.folder)[-1]["outcome"] == "refused"


@pytest.mark.parametrize(
    ("tls", "text"),
    [
        ("{cert: ca.pem}", "servers.x.tls.key: 'cert' and 'key' go together."),
        ("{ca: none.pem}", "servers.x.tls.ca: there is no such file."),
    ],
)
def test_what_cannot_work_is_said(world: Any, tls: str, text: str) -> None:
    path = world.folder / "wrong.yaml"
    path.write_text(
        f"servers: {{x: {{url: 'https://h/mcp', tls: {tls}}}}}\nidentity: {{anonymous: loopback}}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load(Path(path))
    assert text in str(caught.value)
    path.write_text("servers: {x: {url: 'http://h/mcp', tls: {}}}\nidentity: {anonymous: loopback}\n")
    with pytest.raises(ConfigError, match="not reached over https"):
        load(Path(path))
