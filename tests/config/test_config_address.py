from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from toolgate.config.address import (
    HostPort,
    host_name,
    host_port,
    http_url,
    is_loopback,
    is_safe_transport,
    origin,
    public_url,
)


@pytest.mark.parametrize(
    ("written", "host", "port", "loopback"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080, True),
        ("127.9.9.9:1", "127.9.9.9", 1, True),
        ("localhost:0", "localhost", 0, True),
        ("[::1]:8080", "::1", 8080, True),
        ("0.0.0.0:80", "0.0.0.0", 80, False),
        ("[::]:80", "::", 80, False),
        ("gateway.internal:65535", "gateway.internal", 65_535, False),
        ("localhost.example.com:80", "localhost.example.com", 80, False),
    ],
)
def test_an_address_to_listen_on_is_read_and_written_back(written, host, port, loopback):
    address = host_port(written)
    assert address == HostPort(host, port)
    assert address.loopback is loopback
    assert str(address) == written


@pytest.mark.parametrize(
    "written",
    [
        8080,
        None,
        "",
        "8080",
        ":8080",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "::1:80",
        "[127.0.0.1]:80",
        "a b:80",
        "http://a:80",
        "a:80 ",
        "a\n:80",
        "999.1.1.1:80",
        "22:30",
        "-a:80",
    ],
)
def test_what_is_no_address_to_listen_on_is_refused(written):
    with pytest.raises(PydanticCustomError):
        host_port(written)


@pytest.mark.parametrize(
    "written",
    ["http://a/mcp", "https://a.example:8443/x?y=z", "HTTP://a", "http://[::1]:9000/", "http://10.0.0.1"],
)
def test_an_http_url_is_kept_as_written(written):
    assert http_url(written) == written


@pytest.mark.parametrize(
    "written",
    [
        "",
        "a",
        "/a",
        "//a/b",
        "ftp://a",
        "http://",
        "http:///x",
        "http://a:b",
        "http://a:99999",
        "http://a:0",
        "http://[::1",
        "http://a b/",
        "http://a/\n",
        "http://a/\t",
        "http://é/",
        "http://u@a/",
        "http://u:p@a/",
        "http://a/#x",
        "http://a/#",
        "http://-/",
        "http://a%2f/",
        "http://999.9.9.9/",
        "http://[x]/",
        "http://[127.0.0.1]/",
        "http://a\\@b/",
    ],
)
def test_what_is_no_plain_http_url_is_refused(written):
    with pytest.raises(PydanticCustomError):
        http_url(written)


@pytest.mark.parametrize("written", ["https://a/", "https://a/b/", "https://a?x", "https://a#x", "a.example"])
def test_a_public_url_has_no_query_fragment_or_trailing_slash(written):
    with pytest.raises(PydanticCustomError):
        public_url(written)
    assert public_url("https://tools.example.com/gate") == "https://tools.example.com/gate"


def test_names_of_hosts_and_origins_are_compared_in_lower_case():
    assert host_name("Tools.Example.com:8443") == "tools.example.com:8443"
    assert host_name("[::1]") == "[::1]"
    assert origin("HTTPS://App.Example.com") == "https://app.example.com"


@pytest.mark.parametrize("written", ["", "*", "http://a", "a/b", "a:b", "*.example.com", "::1", "a, b"])
def test_a_host_name_is_one_name(written):
    with pytest.raises(PydanticCustomError):
        host_name(written)


@pytest.mark.parametrize(
    "written", ["*", "null", "a.example", "https://a/", "https://a/b", "https://u@a", "https://a?"]
)
def test_an_origin_is_scheme_and_host_only(written):
    with pytest.raises(PydanticCustomError):
        origin(written)


def test_only_https_and_this_machine_deliver_unchanged():
    assert is_safe_transport("https://keys.example.com/jwks")
    assert is_safe_transport("http://127.0.0.1:9/jwks")
    assert is_safe_transport("http://[::1]/jwks")
    assert not is_safe_transport("http://keys.example.com/jwks")
    assert not is_loopback("127.0.0.1.example.com")


@given(st.text(max_size=40) | st.from_regex(r"https?://[\x00-\x7f]{0,20}", fullmatch=True))
def test_any_text_is_an_address_or_refused(text):
    for read in (host_port, http_url, public_url, host_name, origin):
        with suppress(PydanticCustomError):
            assert str(read(text)).lower() == text.lower()
