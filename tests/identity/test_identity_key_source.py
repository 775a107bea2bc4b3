import json

import pytest
from identity_support import Signer, key_set

from toolgate.errors import Refusal
from toolgate.identity.key_source import key_source

SIGNER = Signer("EdDSA", "k")


async def test_a_path_is_read_as_a_file(tmp_path, http, clock):
    path = tmp_path / "jwks.json"
    path.write_bytes(key_set(SIGNER.jwk()))
    keys = key_source("https://a.example", str(path), http, clock)
    assert await keys.find("k", "EdDSA") is not None


async def test_a_url_is_fetched_as_written(site, http, clock):
    keys = key_source("https://a.example", site.serve("/keys", key_set(SIGNER.jwk())), http, clock)
    assert await keys.find("k", "EdDSA") is not None
    assert site.requests == ["/keys"]
    await keys.aclose()


async def test_left_out_the_issuer_is_asked(site, http, clock):
    uri = site.serve("/keys", key_set(SIGNER.jwk()))
    site.serve(
        "/.well-known/openid-configuration", json.dumps({"issuer": site.url, "jwks_uri": uri}).encode()
    )
    keys = key_source(site.url, None, http, clock)
    assert await keys.find("k", "EdDSA") is not None
    assert site.requests == ["/.well-known/openid-configuration", "/keys"]
    await keys.aclose()


async def test_an_issuer_that_says_nothing_is_a_503(site, http, clock):
    keys = key_source(site.url, None, http, clock)
    with pytest.raises(Refusal) as refused:
        await keys.find("k", "EdDSA")
    assert refused.value.status == 503
    assert "404" in refused.value.reason
    await keys.aclose()
