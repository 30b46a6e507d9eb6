"""Connections to servers: plain, secured, by proxies; and what is told where there is none."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from answering import Answering, answer, answering
from certificates import Authority
from mirrord_cli.session.access import Access
from mirrord_cli.session.reaching.driver import connect
from mirrord_cli.session.reaching.machine import ForwardFailed
from proxies import proxy_server

CLUSTER, OTHER = Authority(), Authority()
CERTIFICATE, KEY = CLUSTER.user()
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def server() -> Iterator[Answering]:
    with answering(lambda _: answer(200), CLUSTER.server("127.0.0.1", "api.test", users=CLUSTER)) as found:
        yield found


def access(server: str, **values: object) -> Access:
    given = {"server": server, "authorities": CLUSTER.pem, "certificate": CERTIFICATE, "key": KEY} | values
    return Access(**given)  # type: ignore[arg-type]


def ask(found: Access) -> bytes:
    async def main() -> bytes:
        pipe, _ = await connect(found)
        try:
            await pipe.send(REQUEST)
            return await pipe.receive()
        finally:
            await pipe.close()

    return trio.run(main)


def failure(found: Access) -> ForwardFailed:
    with pytest.raises(ForwardFailed) as caught:
        ask(found)
    assert caught.value.category == "cluster"
    return caught.value


def test_secured(server: Answering) -> None:
    assert ask(access(server.url)).startswith(b"HTTP/1.1 200")


def test_plain() -> None:
    for host in ("127.0.0.1", "::1"):
        with answering(lambda _: answer(200), host=host) as server:
            assert ask(Access(server=server.url)).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("scheme", "user"), [("http", ""), ("http", "al:pw"), ("https", "al:pw"), ("socks5", ""), ("socks5", "al:pw")]
)
def test_by_a_proxy(
    server: Answering, scheme: str, user: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    machine = Authority()
    trust = f"{tmp_path}/ca.crt"
    machine.ca.cert_pem.write_to_path(trust)
    monkeypatch.setenv("SSL_CERT_FILE", trust)
    context = machine.server() if scheme == "https" else None
    with proxy_server(scheme, user, context, {"api.test": "127.0.0.1"}) as proxy:
        url = f"https://api.test:{server.port}"

        assert ask(access(url, proxy=proxy.url)).startswith(b"HTTP/1.1 200")
        assert proxy.tunnels == [f"api.test:{server.port}"]

        if user:
            wrong = proxy.url.replace("pw", "no")
            text = failure(access(url, proxy=wrong)).text
            assert "doesn't lead to the API server" in text
            assert ("407" if scheme != "socks5" else "name and the password") in text


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_proxy_that_can_not(scheme: str) -> None:
    with socket.socket() as closed, proxy_server(scheme) as proxy:
        closed.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{closed.getsockname()[1]}"

        error = failure(access(url, proxy=proxy.url))
    assert ("it answers 502" if scheme == "http" else "the connection was refused") in error.text
    assert not error.passing

    error = failure(access(url, proxy=proxy.url))  # which is gone
    assert error.text.startswith(f"The proxy {proxy.url} doesn't lead to")
    assert error.text.endswith("the connection was refused.")
    assert error.passing


def test_a_proxy_that_goes_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(meet_and_leave)
                with pytest.raises(ForwardFailed, match="it closed the connection"):
                    await connect(access("https://c.test", proxy=f"http://127.0.0.1:{listener.getsockname()[1]}"))

        async def meet_and_leave() -> None:
            (await trio.to_thread.run_sync(listener.accept))[0].close()

        trio.run(main)


@pytest.mark.parametrize(
    ("context", "values", "text"),
    [
        (OTHER.server(users=CLUSTER), {}, "can't be trusted: nobody who is trusted vouches"),
        (CLUSTER.server("x.test", users=CLUSTER), {}, "can't be trusted: its certificate is for another name"),
        (CLUSTER.server(expired=True, users=CLUSTER), {}, "can't be trusted: its certificate has expired"),
    ],
)
def test_no_trust(context: ssl.SSLContext, values: dict[str, object], text: str) -> None:
    with answering(lambda _: answer(200), context) as server:
        assert text in failure(access(server.url, **values)).text
        assert ask(access(server.url, verify=False)).startswith(b"HTTP/1.1 200")


def test_the_certificates_name() -> None:
    with answering(lambda _: answer(200), CLUSTER.server("kubernetes", users=CLUSTER)) as server:
        assert ask(access(server.url, server_name="kubernetes")).startswith(b"HTTP/1.1 200")


def test_nobody_there() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        error = failure(access(f"https://127.0.0.1:{closed.getsockname()[1]}"))

    assert error.text.endswith("can't be reached: the connection was refused.")
    assert error.passing


def test_no_such_name() -> None:
    assert "nobody knows its name" in failure(access("https://nobody.test")).text


def test_no_tls() -> None:
    with answering(lambda _: answer(200)) as server:
        assert "can't be spoken with" in failure(access(server.url.replace("http:", "https:"))).text


def test_a_server_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                with pytest.raises(ForwardFailed, match="there was no answer in time"):
                    await connect(access(f"https://127.0.0.1:{listener.getsockname()[1]}"))
                nursery.cancel_scope.cancel()

        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.2))


def test_what_can_not_be_used() -> None:
    for values, text in (({"key": b"no"}, "the user's certificate or its key"), ({"server": "ftp://a"}, "address")):
        with pytest.raises(ForwardFailed, match=text) as caught:
            ask(access(**({"server": "https://127.0.0.1:1"} | values)))
        assert caught.value.category == "configuration"
