"""TLS contexts from what an `Access` has, and what the errors of real handshakes mean."""

from __future__ import annotations

import errno
import os
import socket
import ssl

import pytest
from cryptography.hazmat.primitives import serialization

from certificates import Authority
from mirrord_cli.session.access import Access
from mirrord_cli.session.reaching.reasons import CUT, Kind, Trouble
from mirrord_cli.session.reaching.securing.driver import BadMaterial, tls_context, trouble_of

CLUSTER, OTHER = Authority(), Authority()
CERTIFICATE, KEY = OTHER.user()


def access(server: str = "https://127.0.0.1", **values: object) -> Access:
    return Access(**({"server": server, "authorities": CLUSTER.pem} | values))  # type: ignore[arg-type]


def handshake(server: ssl.SSLContext, found: Access, name: str = "127.0.0.1") -> OSError | None:
    """Do it in memory; what went wrong for the client."""
    context = tls_context(found)
    assert context is not None
    one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [context.wrap_bio(one, other, server_hostname=name), server.wrap_bio(other, one, server_side=True)]
    failed: list[OSError | None] = [None, None]
    for _ in range(6):
        for number, end in enumerate(ends):
            if failed[number] is None:
                try:
                    end.do_handshake()
                    end.read(1)
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLError as error:
                    failed[number] = error
    return failed[0]


def test_none_without_tls() -> None:
    assert tls_context(access("http://127.0.0.1")) is None


def test_trust() -> None:
    assert handshake(CLUSTER.server(), access()) is None
    assert handshake(CLUSTER.server("kubernetes"), access(), "kubernetes") is None
    assert handshake(OTHER.server(expired=True), access(verify=False), "any.test") is None


def test_an_authority_that_another_vouches_for() -> None:
    branch = Authority(CLUSTER.ca.create_child_ca())

    assert handshake(branch.server(), access(authorities=branch.pem)) is None
    assert handshake(branch.server(), access()) is None


@pytest.mark.parametrize(
    ("server", "found", "name", "kind"),
    [
        (OTHER.server(), access(), "127.0.0.1", Kind.UNTRUSTED),
        (OTHER.server(), access(authorities=b""), "127.0.0.1", Kind.UNTRUSTED),
        (CLUSTER.server("a.test"), access(), "b.test", Kind.OTHER_NAME),
        (CLUSTER.server("a.test"), access(), "127.0.0.1", Kind.OTHER_NAME),
        (CLUSTER.server(expired=True), access(), "127.0.0.1", Kind.EXPIRED),
        (CLUSTER.server(early=True), access(), "127.0.0.1", Kind.NOT_YET),
        (CLUSTER.server(users=OTHER), access(), "127.0.0.1", Kind.NO_TLS),
        (CLUSTER.server(users=CLUSTER), access(certificate=CERTIFICATE, key=KEY), "127.0.0.1", Kind.OWN_CERTIFICATE),
    ],
)  # fmt: skip
def test_troubles_of_handshakes(server: ssl.SSLContext, found: Access, name: str, kind: Kind) -> None:
    error = handshake(server, found, name)

    assert error is not None
    assert trouble_of(error).kind is kind


def test_the_users_certificate() -> None:
    before = os.listdir("/proc/self/fd")

    assert handshake(CLUSTER.server(users=OTHER), access(certificate=CERTIFICATE, key=KEY)) is None
    assert os.listdir("/proc/self/fd") == before


def encrypted() -> bytes:
    key = serialization.load_pem_private_key(KEY, None)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    )


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"authorities": b"text"}, "who signs for the cluster"),
        ({"certificate": b"text", "key": KEY}, "the user's certificate or its key can't be used: "),
        ({"certificate": CERTIFICATE, "key": b""}, "the user's certificate or its key can't be used: "),
        ({"certificate": CERTIFICATE, "key": OTHER.user()[1]}, "key values mismatch"),
        ({"certificate": CERTIFICATE, "key": encrypted()}, "the user's key is encrypted"),
    ],
)
def test_what_is_no_certificate(values: dict[str, bytes], why: str) -> None:
    with pytest.raises(BadMaterial, match=why):
        tls_context(access("https://127.0.0.1", **values))


def grouped(error: OSError) -> OSError:
    """As Trio tells of several addresses that didn't answer."""
    whole = OSError("all attempts failed")
    whole.__cause__ = ExceptionGroup("", [error, OSError("another")])
    return whole


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), Trouble(Kind.REFUSED)),
        (grouped(ConnectionRefusedError(errno.ECONNREFUSED, "x")), Trouble(Kind.REFUSED)),
        (TimeoutError(errno.ETIMEDOUT, "Connection timed out"), Trouble(Kind.SILENT)),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), Trouble(Kind.UNKNOWN_NAME)),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), Trouble(Kind.BROKEN, "network is unreachable")),
        (OSError("odd"), Trouble(Kind.BROKEN, "odd")),
        (OSError(), Trouble(Kind.BROKEN, "OSError")),
        (ssl.SSLEOFError(), CUT),
    ],
)
def test_troubles_of_connections(error: OSError, trouble: Trouble) -> None:
    assert trouble_of(error) == trouble


def test_what_speaks_no_tls() -> None:
    context = tls_context(access())
    assert context is not None
    came = ssl.MemoryBIO()
    came.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(ssl.SSLError) as caught:
        context.wrap_bio(came, ssl.MemoryBIO(), server_hostname="a").do_handshake()

    assert trouble_of(caught.value).kind is Kind.NO_TLS
