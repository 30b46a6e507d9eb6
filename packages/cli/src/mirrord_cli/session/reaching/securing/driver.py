"""Makes the TLS context for an `Access`, without a file, and tells what an error on the way to a server means."""

from __future__ import annotations

import os
import re
import socket
import ssl

from mirrord_cli.session.access import Access
from mirrord_cli.session.reaching.reasons import CUT, Kind, Trouble

VERIFY = {9: Kind.NOT_YET, 10: Kind.EXPIRED, 62: Kind.OTHER_NAME, 64: Kind.OTHER_NAME}
"""X509_V_ERR_* of OpenSSL's x509_vfy.h; the others mean that nobody vouches for it."""
OWN = re.compile(r"ALERT_(?:BAD|UNSUPPORTED|UNKNOWN|CERTIFICATE)\w*|CERTIFICATE_REQUIRED|ALERT_ACCESS_DENIED")
"""Reasons by which the other side says that it doesn't like our certificate."""


class BadMaterial(ValueError):
    """A certificate, a key or the authorities of an `Access` are none; says which and why."""


def tls_context(access: Access) -> ssl.SSLContext | None:
    """Return how TLS is spoken with a server; None for one without.

    Raises:
        BadMaterial: A certificate or a key can't be used.
    """
    if not access.server.lower().startswith("https:"):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # as kubectl: who is named may be vouched for by another
    if not access.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif access.authorities:
        try:
            context.load_verify_locations(cadata=access.authorities.decode("ascii", "replace"))
        except ssl.SSLError as error:
            raise BadMaterial(f"the certificate of who signs for the cluster can't be used: {_why(error)}") from None
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if access.certificate or access.key:
        _load(context, access.certificate, access.key)
    return context


def _load(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Load what OpenSSL takes from files only, by files in memory."""
    with open(os.memfd_create("certificate"), "wb") as first, open(os.memfd_create("key"), "wb") as second:
        for file, content in ((first, certificate), (second, key)):
            file.write(content)
            file.flush()
        chain, private = (f"/proc/self/fd/{file.fileno()}" for file in (first, second))
        try:
            context.load_cert_chain(chain, private, password=_no_password)
        except ssl.SSLError as error:
            raise BadMaterial(f"the user's certificate or its key can't be used: {_why(error)}") from None


def _no_password() -> str:
    """Answer for the key's password: a terminal must not be asked."""
    raise BadMaterial("the user's key is encrypted, which kubeconfigs have no password for")


def _why(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").lower()


def trouble_of(error: OSError) -> Trouble:
    """Return what an error on the way to a server means."""
    while isinstance(error.__cause__, BaseExceptionGroup | OSError):  # of several addresses: the first one's
        cause: BaseException = error.__cause__
        while isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        if not isinstance(cause, OSError):
            break
        error = cause
    if isinstance(error, ssl.SSLCertVerificationError):
        return Trouble(VERIFY.get(error.verify_code, Kind.UNTRUSTED), error.verify_message.rstrip("."))
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return CUT
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        return Trouble(Kind.OWN_CERTIFICATE if OWN.search(reason) else Kind.NO_TLS, _why(error))
    if isinstance(error, socket.gaierror):
        return Trouble(Kind.UNKNOWN_NAME)
    if isinstance(error, ConnectionRefusedError):
        return Trouble(Kind.REFUSED)
    if isinstance(error, TimeoutError):
        return Trouble(Kind.SILENT)
    return Trouble(Kind.BROKEN, (error.strerror or str(error)).lower() or type(error).__name__)
