"""What RBAC takes a request for."""

from __future__ import annotations

VERBS = {"POST": "create", "PATCH": "patch", "DELETE": "delete"}


def right_for(method: str, path: str, *, watch: bool = False) -> tuple[str, str, str]:
    """The API group, the kind of object (and its part), and the verb, for a path within a namespace."""
    parts = path.strip("/").split("/")
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
    namespaces, _, resource, *named = rest
    assert namespaces == "namespaces"
    part = f"/{named[1]}" if len(named) > 1 else ""
    if method == "GET":
        return group, resource + part, "watch" if watch else "get" if named else "list"
    return group, resource + part, VERBS[method]
