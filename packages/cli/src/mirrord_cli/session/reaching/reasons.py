"""Why an API server can't be reached, in a person's words, with what to do. No I/O; the command line says it likewise.

What went wrong is found out in securing/driver.py.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from mirrord_cli.session.access import Access


class Kind(enum.Enum):
    """What went wrong on the way to a server, or with its certificate."""

    UNKNOWN_NAME = enum.auto()
    REFUSED = enum.auto()
    SILENT = enum.auto()
    BROKEN = enum.auto()
    UNTRUSTED = enum.auto()
    OTHER_NAME = enum.auto()
    EXPIRED = enum.auto()
    NOT_YET = enum.auto()
    OWN_CERTIFICATE = enum.auto()
    NO_TLS = enum.auto()
    PROXY = enum.auto()


LASTING = frozenset(
    {Kind.UNTRUSTED, Kind.OTHER_NAME, Kind.EXPIRED, Kind.NOT_YET, Kind.OWN_CERTIFICATE, Kind.NO_TLS, Kind.PROXY}
)
"""What doesn't pass by itself."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong, and the system's or a proxy's own words for it."""

    kind: Kind
    detail: str = ""
    blip: bool = False
    """Whether it may pass all the same, where its kind mostly doesn't: a proxy that is out of reach just now."""

    @property
    def passing(self) -> bool:
        """Whether it may be otherwise in a moment."""
        return self.blip or self.kind not in LASTING


CUT = Trouble(Kind.BROKEN, "the connection was closed in the middle")
ANSWERS = "Check that the cluster runs, that `server` in the kubeconfig is right, and whether a VPN is needed."
TRUST = (
    "If whoever answers may be trusted all the same, pass --accept-invalid-certificates; else correct the kubeconfig"
)
NEXT_STEPS = {
    Kind.UNTRUSTED: f"{TRUST}: certificate-authority has to be the cluster's.",
    Kind.OTHER_NAME: f"{TRUST}: `server`, or the certificate's name as tls-server-name.",
    Kind.EXPIRED: f"It has to be renewed in the cluster. {TRUST}.",
    Kind.NOT_YET: f"Check this machine's clock. {TRUST}.",
    Kind.OWN_CERTIFICATE: "It may have expired or belong to another cluster: get a new kubeconfig.",
    Kind.NO_TLS: "Check scheme and port of `server` in the kubeconfig.",
    Kind.PROXY: (
        "Check the proxy: proxy-url in the kubeconfig, or HTTPS_PROXY and NO_PROXY; `use_proxy: false` leaves the "
        "variables out."
    ),
}


def explain(trouble: Trouble, access: Access) -> tuple[str, str]:
    """Return a text and a next step."""
    place = f"The API server {access.server}"
    if trouble.kind is Kind.PROXY:
        proxy = without_password(access.proxy)
        return f"The proxy {proxy} doesn't lead to {place[0].lower()}{place[1:]}: {trouble.detail}.", NEXT_STEPS[
            Kind.PROXY
        ]
    if access.proxy:
        place += f", by the proxy {without_password(access.proxy)},"
    verb = "can't be reached" if trouble.kind not in LASTING else "can't be trusted"
    if trouble.kind is Kind.OWN_CERTIFICATE:
        verb = "doesn't take the user's certificate"
    elif trouble.kind is Kind.NO_TLS:
        verb = "can't be spoken with"
    return f"{place} {verb}: {phrase(trouble)}.", NEXT_STEPS.get(trouble.kind, ANSWERS)


def phrase(trouble: Trouble) -> str:
    """Return what went wrong, in a few words."""
    detail = f" ({trouble.detail})" if trouble.detail else ""
    match trouble.kind:
        case Kind.UNKNOWN_NAME:
            return "nobody knows its name" + detail
        case Kind.REFUSED:
            return "the connection was refused"
        case Kind.SILENT:
            return "there was no answer in time"
        case Kind.UNTRUSTED:
            return "nobody who is trusted vouches for its certificate" + detail
        case Kind.OTHER_NAME:
            return "its certificate is for another name" + detail
        case Kind.EXPIRED:
            return "its certificate has expired"
        case Kind.NOT_YET:
            return "its certificate isn't valid yet"
        case Kind.NO_TLS:
            return "it speaks no TLS, or none that this machine does" + detail
        case _:
            return trouble.detail


def without_password(proxy: str) -> str:
    """Return a proxy's address without who may use it."""
    scheme, _, rest = proxy.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
