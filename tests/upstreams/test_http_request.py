"""What leaves for a server, and what never does."""

import pytest

from toolgate.ports import HttpError
from toolgate.upstreams.http_request import Origin, read_url, write_request


@pytest.mark.parametrize(
    ("url", "origin", "start"),
    [
        ("http://a.example/mcp", Origin(False, "a.example", 80), b" /mcp HTTP/1.1\r\nHost: a.example\r\n"),
        ("https://a.example", Origin(True, "a.example", 443), b" / HTTP/1.1\r\nHost: a.example\r\n"),
        ("HTTP://A.Example:81/", Origin(False, "a.example", 81), b" / HTTP/1.1\r\nHost: A.Example:81\r\n"),
        ("http://[::1]:81/?a=b&c", Origin(False, "::1", 81), b" /?a=b&c HTTP/1.1\r\nHost: [::1]:81\r\n"),
        ("http://a/%2e%2e//b?#c", Origin(False, "a", 80), b" /%2e%2e//b HTTP/1.1\r\nHost: a\r\n"),
    ],
)
def test_a_url_says_whom_to_connect_to_and_how_the_request_begins(url, origin, start):
    address = read_url(url)
    assert (address.origin, address.start) == (origin, start)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/mcp",
        "ftp://a/",
        "file:///etc/passwd",
        "http:///mcp",
        "http://user:word@a/",
        "http://a:0/",
        "http://a:99999/",
        "http://a:b/",
        "http://[::1/",
        "http://a b/",
        "http://a/\r\nX: 1",
        "http://a/\t",
        "http://ä/",
        "http://a/ä",
        "http://a..b/",
        "http://" + "a" * 64 + "/",
        'http://a"b/',
        "http://a\\b/",
    ],
)
def test_a_url_that_is_not_plain_is_refused_without_being_quoted(url):
    with pytest.raises(HttpError) as caught:
        read_url(url)
    assert (caught.value.kind, caught.value.sent) == ("protocol", False)
    assert "user:word" not in str(caught.value)


def test_head_and_body_leave_in_one_piece():
    written = write_request("POST", read_url("http://a/mcp"), ((b"X-A", b"1"),), b"{}")
    assert written == b"POST /mcp HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize("method", ["", "get", "CONNECT", "TRACE", "GET /x HTTP/1.1\r\nX: 1\r\n\r\nGET"])
def test_a_method_that_is_not_known_is_refused(method):
    with pytest.raises(HttpError, match="method"):
        write_request(method, read_url("http://a/"), (), b"")


@pytest.mark.parametrize(
    "name", [b"", b"a b", b"a:", b"a\r\nb", b"\xc3\xa4", b"Host", b"CONTENT-length", b"te"]
)
def test_a_header_name_that_is_none_or_ours_is_refused(name):
    with pytest.raises(HttpError, match="header"):
        write_request("GET", read_url("http://a/"), ((name, b"1"),), b"")


@pytest.mark.parametrize("value", [b"\r", b"\n", b"\0", b"1\r\nX: 2", b"1\n X"])
def test_a_header_value_that_could_end_its_line_is_refused(value):
    with pytest.raises(HttpError, match="line break"):
        write_request("GET", read_url("http://a/"), ((b"X-A", value),), b"")
