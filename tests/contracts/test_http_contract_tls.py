"""TLS: whom a client trusts, and how such a connection ends."""

import os
import ssl

import pytest
from http_contract import (
    LOOPS,
    MIB,
    OK,
    answering,
    breaking_off,
    failure,
    post,
)
from scripted_server import Peer

__all__ = ["LOOPS"]  # What `conftest.py` runs each case on.


async def test_a_server_with_a_known_certificate_is_spoken_to(connect, serve, server_tls, client_tls):
    http = connect(ssl_context=client_tls)
    server = await serve(answering(OK, OK), server_tls)
    for _ in range(2):
        assert await post(http, server.url()) == b"ok"
    assert len(server.peers) == 1


async def test_five_megabytes_go_both_ways_over_tls(connect, serve, server_tls, client_tls):
    async def script(peer: Peer) -> None:
        request = await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(request.body) + request.body)
        await peer.gone()

    body = os.urandom(5 * MIB)
    server = await serve(script, server_tls)
    response = await connect(ssl_context=client_tls).request("POST", server.url(), body=body, timeout=4)
    assert await response.read(5 * MIB) == body


@pytest.mark.filterwarnings("ignore:SSL handshake failed")
async def test_a_server_with_an_unknown_certificate_is_not_spoken_to(connect, serve, server_tls):
    server = await serve(answering(OK), server_tls)
    assert await failure(post(connect(), server.url())) == ("connect", False)
    assert server.peers == []


async def test_a_server_with_the_certificate_of_another_is_not_spoken_to(
    connect, serve, authority, client_tls
):
    other = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("other.example").configure_cert(other)
    server = await serve(answering(OK), other)
    assert await failure(post(connect(ssl_context=client_tls), server.url())) == ("connect", False)


async def test_a_handshake_that_does_not_end_is_given_up(connect, serve, client_tls):
    async def script(peer: Peer) -> None:
        await peer.gone()

    server = await serve(script)
    http = connect(ssl_context=client_tls, connect_seconds=0.05)
    url = server.url().replace("http", "https")
    assert await failure(http.request("GET", url, timeout=4)) == ("connect", False)
    await server.idle()


async def test_a_body_without_length_may_end_with_tls(connect, serve, server_tls, client_tls):
    server = await serve(breaking_off(b"HTTP/1.1 200 OK\r\n\r\nto the end"), server_tls)
    assert await post(connect(ssl_context=client_tls), server.url()) == b"to the end"
