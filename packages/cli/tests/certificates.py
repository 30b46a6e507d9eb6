"""Certificates for tests: an authority, servers and users that it vouches for, and those that it shouldn't."""

from __future__ import annotations

import datetime as dt
import ssl
from dataclasses import dataclass, field

import trustme

LONG_AGO = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)


@dataclass
class Authority:
    """Vouches for servers and users."""

    ca: trustme.CA = field(default_factory=trustme.CA)

    @property
    def pem(self) -> bytes:
        return self.ca.cert_pem.bytes()

    def server(
        self, *names: str, expired: bool = False, early: bool = False, users: Authority | None = None
    ) -> ssl.SSLContext:
        """How a server of these names speaks TLS; `users` vouches for those that may come."""
        now = dt.datetime.now(tz=dt.UTC)
        leaf = self.ca.issue_cert(
            *(names or ("127.0.0.1", "::1", "localhost")),
            not_before=now + dt.timedelta(days=1) if early else LONG_AGO,
            not_after=LONG_AGO + dt.timedelta(days=1) if expired else now + dt.timedelta(days=2),
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(context)
        if users is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            # With 1.3 a client is done before the server has looked at who comes: what it sees then is a matter of luck.
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.load_verify_locations(cadata=users.pem.decode())
        return context

    def user(self, name: str = "alice") -> tuple[bytes, bytes]:
        """A user's certificate and key."""
        leaf = self.ca.issue_cert(f"{name}@example.test", common_name=name)
        return b"".join(blob.bytes() for blob in leaf.cert_chain_pems), leaf.private_key_pem.bytes()
