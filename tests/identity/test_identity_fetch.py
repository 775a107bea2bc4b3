import pytest
from identity_support import PlainHttp

from toolgate.identity.fetch import Unusable, fetch, is_loopback, is_secure
from toolgate.ports import HttpError


async def test_the_body_comes_back_whole(site, http):
    assert await fetch(http, site.serve("/a", b"text"), 4, 5) == b"text"


async def test_more_than_the_limit_is_an_error(site, http):
    with pytest.raises(HttpError):
        await fetch(http, site.serve("/a", b"text!"), 4, 5)


@pytest.mark.parametrize("status", [204, 301, 404, 500])
async def test_any_status_but_200_is_unusable(site, http, status):
    with pytest.raises(Unusable, match=str(status)):
        await fetch(http, site.serve("/a", b"", status), 4, 5)


async def test_no_server_is_an_http_error(site, http: PlainHttp):
    await site.stop()
    with pytest.raises(HttpError):
        await fetch(http, site.url, 4, 5)


def test_https_and_this_machine_are_secure():
    assert is_secure("https://a.example/x")
    assert is_secure("http://127.0.0.1:80/x")
    assert is_secure("http://localhost/x")
    assert not is_secure("http://a.example/x")


def test_only_addresses_written_as_loopback_are():
    assert is_loopback("http://[::1]:8080/")
    assert not is_loopback("http://localhost.evil.example/")
    assert not is_loopback("http://10.0.0.1/")
