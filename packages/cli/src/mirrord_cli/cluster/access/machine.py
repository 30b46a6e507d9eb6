"""What follows from a kubeconfig and from this machine's variables: proxies, impersonation, which context. No I/O."""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote, urlsplit

from mirrord_cli.cluster.objects import Json
from mirrord_cli.errors import MirrordError

PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
NO_PROXY_VARIABLES = ("NO_PROXY", "no_proxy")
MOST_NAMED = 20
"""So many contexts are named in an error."""


def proxy_for(server: str, own: str | None, variables: Mapping[str, str], *, use_proxy: bool) -> str:
    """Return the proxy to a server; empty for none.

    Args:
        server: Its address.
        own: What the kubeconfig says of it (`proxy-url`), which goes before all else.
        variables: This machine's.
        use_proxy: Whether those count.
    """
    if own:
        return own
    parts = urlsplit(server)
    if not use_proxy or _bypasses(parts.hostname or "", parts.port, _first(variables, NO_PROXY_VARIABLES)):
        return ""
    if parts.scheme == "http":  # CGI's HTTP_PROXY is a client's header; only the small letters are this machine's
        return variables.get("http_proxy") or _first(variables, PROXY_VARIABLES[2:])
    return _first(variables, PROXY_VARIABLES)


def _first(variables: Mapping[str, str], names: Sequence[str]) -> str:
    return next((variables[name] for name in names if variables.get(name)), "")


def _bypasses(host: str, port: int | None, rules: str) -> bool:
    """Whether NO_PROXY has a host: names with what is below them, addresses, subnets, `*`; each with a port or without."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    for rule in filter(None, (rule.strip().lower() for rule in rules.split(","))):
        if rule == "*":
            return True
        if address is not None:
            try:
                if address in ipaddress.ip_network(rule, strict=False):
                    return True
            except ValueError:
                pass
        name, colon, number = rule.rpartition(":")
        if colon and number.isdecimal() and "]" not in number:
            if port != int(number):
                continue
            rule = name.strip("[]")  # noqa: PLW2901 - the same rule without its port
        rule = rule.removeprefix("*").lstrip(".")  # noqa: PLW2901 - likewise without its dot
        if host == rule or host.endswith("." + rule):
            return True
    return False


def impersonation(user: Json) -> Iterator[tuple[str, str]]:
    """Yield the headers that a kubeconfig's user asks for: `as`, `as-uid`, `as-groups`, `as-user-extra`.

    https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
    """
    if name := user.get("as"):
        yield "Impersonate-User", str(name)
    if uid := user.get("as-uid"):
        yield "Impersonate-Uid", str(uid)
    for group in user.get("as-groups") or ():
        yield "Impersonate-Group", str(group)
    for key, values in (user.get("as-user-extra") or {}).items():
        for value in values:
            yield f"Impersonate-Extra-{quote(str(key), safe='')}", str(value)


def no_context(name: str | None, known: Sequence[str], where: str) -> MirrordError:
    """Return the error for a context that isn't there; `name` is None where the kubeconfig names no current one."""
    if not known:
        return MirrordError("configuration", f"The kubeconfig ({where}) has no contexts.", "Log in to a cluster first.")
    if name is None:
        text = f"The kubeconfig ({where}) has no current context."
        return MirrordError("configuration", text, f"Name one with --context: {_listed(known)}.")
    close = difflib.get_close_matches(name, known, 1)
    others = [*close, *(each for each in known if each not in close)]
    return MirrordError(
        "configuration", f"The kubeconfig ({where}) has no context {name!r}.", f"It has: {_listed(others)}."
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def plugin_failed(command: str, error: str, hint: str) -> MirrordError:
    """Return the error for a plug-in that gave no credentials."""
    text = (
        f"The kubeconfig's plug-in {command!r} gives no credentials: {error.strip().rstrip('.') or 'it says nothing'}."
    )
    return MirrordError("cluster", text, hint.strip() or "Run `kubectl get pods`: it starts the same plug-in.")
