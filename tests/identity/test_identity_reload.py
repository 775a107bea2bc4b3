"""What was learnt of an issuer outlives a reload that leaves the issuer as it was, also while the issuer is away."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from identity_support import AUDIENCE, ISSUER, FixedKeys, Hand, Signer, Site, bearer, key_set

from toolgate import compiler, identities
from toolgate.compiler import Built, build, new_kit
from toolgate.config.load import load
from toolgate.errors import ConfigError, Refusal
from toolgate.upstreams.http_client import HttpClient


class Gateway:
    """A config that is loaded again and again, with the key sets of a real site."""

    def __init__(self, folder: Path, site: Site) -> None:
        self.signer = Signer("ES256")
        self.site = site
        self.clock = Hand()
        self.kit = new_kit(HttpClient(max_connections=2), "", self.clock)
        self._path = folder / "gateway.yaml"
        self._jwks = site.serve("/jwks", key_set(self.signer.jwk()))
        self._built: Built | None = None

    async def load(self, *more: dict[str, object], **fields: object) -> Built:
        """Put a config into force; `fields` are of the issuer, `more` are other issuers."""
        issuer = {"issuer": ISSUER, "audience": AUDIENCE, "jwks": self._jwks, **fields}
        config = {
            "servers": {"bank": {"url": "http://127.0.0.1:1/mcp"}},
            "identity": {"issuers": [issuer, *more]},
        }
        self._path.write_text(json.dumps(config))
        former, self._built = self._built, await build(load(self._path), self.kit)
        if former is not None:
            await former.release()
        return self._built

    async def aclose(self) -> None:
        await self.kit.pool.aclose()
        await self.kit.http.aclose()


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    site = Site()
    await site.start()
    gateway = Gateway(tmp_path, site)
    yield gateway
    await gateway.aclose()
    await site.stop()


OTHER = {
    "issuer": "https://id.partner.example",
    "audience": AUDIENCE,
    "jwks": "https://id.partner.example/jwks",
}


async def test_an_issuer_that_is_away_during_a_reload_costs_no_good_token(gateway: Gateway) -> None:
    token, later = bearer(gateway.signer.token()), bearer(gateway.signer.token({"sub": "bob"}))
    principal = await (await gateway.load()).snapshot.identify(token)
    gateway.site.serve("/jwks", b"", 503)
    snapshot = (await gateway.load(OTHER)).snapshot
    assert await snapshot.identify(token) is principal, "policy has remembered things about this object"
    assert (await snapshot.identify(later)).user == "bob"
    assert gateway.site.requests == ["/jwks"]


async def test_a_changed_rule_for_an_issuer_judges_every_token_anew_with_the_keys_it_had(
    gateway: Gateway,
) -> None:
    token = bearer(gateway.signer.token({"org": "acme"}))
    assert (await (await gateway.load()).snapshot.identify(token)).tenant is None
    changed = await gateway.load(claims={"tenant": "org"})
    assert (await changed.snapshot.identify(token)).tenant == "acme"
    assert gateway.site.requests == ["/jwks"]


async def test_a_key_that_is_taken_out_of_a_file_is_out_after_the_reload(
    gateway: Gateway, tmp_path: Path
) -> None:
    token, file = bearer(gateway.signer.token()), tmp_path / "jwks.json"
    file.write_bytes(key_set(gateway.signer.jwk()))
    await (await gateway.load(jwks=str(file))).snapshot.identify(token)
    file.write_bytes(key_set())
    os.utime(file, ns=(1, 1))
    gateway.clock.now += 2  # A file is looked at once a second.
    with pytest.raises(Refusal):
        await (await gateway.load(jwks=str(file))).snapshot.identify(token)


async def test_an_issuer_that_is_gone_is_forgotten(gateway: Gateway) -> None:
    """Whoever names it again asks it again."""
    token = bearer(gateway.signer.token())
    await (await gateway.load()).snapshot.identify(token)
    await gateway.load(issuer="https://elsewhere.example", jwks="https://elsewhere.example/jwks")
    await (await gateway.load()).snapshot.identify(token)
    assert gateway.site.requests == ["/jwks", "/jwks"]


async def test_a_config_that_cannot_be_compiled_holds_nothing(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Closing(gateway.signer)
    monkeypatch.setattr(identities, "key_source", lambda *_: keys)
    monkeypatch.setattr(compiler, "_upstream", broken)
    with pytest.raises(ConfigError):
        await gateway.load()
    assert keys.closed


class Closing(FixedKeys):
    closed = False

    async def aclose(self) -> None:
        self.closed = True


def broken(*_: object) -> object:
    raise ConfigError([])
