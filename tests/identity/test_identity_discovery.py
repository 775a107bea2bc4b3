import json

import pytest
from identity_support import key_set

from toolgate.identity.discovery import find_key_set, key_set_of, places
from toolgate.identity.fetch import Unusable

OIDC = "/.well-known/openid-configuration"
OAUTH = "/.well-known/oauth-authorization-server"


def metadata(issuer: str, jwks_uri: str = "https://keys.example/jwks", **more) -> bytes:
    return json.dumps({"issuer": issuer, "jwks_uri": jwks_uri, **more}).encode()


@pytest.mark.parametrize(
    ("issuer", "oidc", "oauth"),
    [
        ("https://a.example", "https://a.example" + OIDC, "https://a.example" + OAUTH),
        ("https://a.example/", "https://a.example" + OIDC, "https://a.example" + OAUTH),
        ("https://a.example/t/1", "https://a.example/t/1" + OIDC, f"https://a.example{OAUTH}/t/1"),
        ("https://a.example:8443/t/", "https://a.example:8443/t" + OIDC, f"https://a.example:8443{OAUTH}/t"),
    ],
)
def test_metadata_is_looked_for_where_the_standards_say(issuer, oidc, oauth):
    """OIDC Discovery section 4 appends, RFC 8414 section 3.1 inserts."""
    assert places(issuer) == (oidc, oauth)


async def test_the_key_set_is_found_through_oidc(site, http):
    issuer = site.url + "/realm"
    site.serve("/realm" + OIDC, metadata(issuer, token_endpoint="x"))
    assert await find_key_set(http, issuer, 5) == "https://keys.example/jwks"
    assert site.requests == ["/realm" + OIDC]


async def test_oauth_metadata_is_the_second_choice(site, http):
    issuer = site.url + "/realm"
    site.serve(OAUTH + "/realm", metadata(issuer, site.url + "/keys"))
    assert await find_key_set(http, issuer, 5) == site.url + "/keys"
    assert site.requests == ["/realm" + OIDC, OAUTH + "/realm"]


@pytest.mark.parametrize("suffix", ["/", "/x", "?a=1"])
async def test_metadata_of_another_issuer_is_not_used(site, http, suffix):
    """RFC 8414 section 3.3: compared as it stands."""
    site.serve(OIDC, metadata(site.url + suffix))
    with pytest.raises(Unusable, match="another issuer"):
        await find_key_set(http, site.url, 5)


@pytest.mark.parametrize(
    "uri",
    [
        "http://keys.example/jwks",
        "https://kéys.example/jwks",
        "ftp://127.0.0.1/jwks",
        "http://127.0.0.1.evil.example/jwks",
        "http://localhost@evil.example/jwks",
        "https:///jwks",
        "https://keys.example/a\r\nx: y",
        "https://keys.example/a b",
        "file:///etc/passwd",
        "",
    ],
)
async def test_keys_are_not_fetched_where_somebody_could_change_them(site, http, uri):
    site.serve(OIDC, metadata(site.url, uri))
    with pytest.raises(Unusable, match="jwks_uri"):
        await find_key_set(http, site.url, 5)


@pytest.mark.parametrize("uri", ["http://127.0.0.1:6379/", "https://localhost/x", "http://[::1]/"])
def test_an_issuer_elsewhere_does_not_send_us_to_this_machine(uri):
    with pytest.raises(Unusable):
        key_set_of(metadata("https://login.example.com", uri), "https://login.example.com")


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"issuer":5,"jwks_uri":"x"}', key_set(), b"[" * 99999])
async def test_metadata_that_is_none_is_refused(site, http, body):
    site.serve(OIDC, body)
    with pytest.raises(Unusable):
        await find_key_set(http, site.url, 5)


async def test_an_issuer_over_plain_http_is_not_asked(http):
    with pytest.raises(Unusable, match="https"):
        await find_key_set(http, "http://login.example.com", 5)
