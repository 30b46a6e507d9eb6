"""Rules for tests: one developer's folders, and what makes any rules and paths of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from mirrord_cli.session.settings import FileRules, Mode


def file_rules(**changes: Any) -> FileRules:
    """Return a developer's rules, changed."""
    values: dict[str, Any] = {
        "home": b"/home/dev",
        "working_directory": b"/code/Shop",
        "temporary": b"/scratch",
        "executable": b"/srv/bin/tool",
    }
    return FileRules(**values | changes)


PATTERNS = [
    "^/srv", "^/srv/", "^/srv(/|$)", "^/usr/share(?:/|$)", "^/usr/shar", "^/etc/hosts$", r"\A/usr/lib/x\Z", r"\.json$",
    "usr", "^/usr/(share|lib)/x", "^/usr|x$", "^/ho*", "^/usr/share(/|$)?x", r"^/home/dev/\.kube(/|$)", "^/c", "^/data(/|$)",
    "^/data", "^(?:/usr)", "(?s)^/opt", r"^/usr/lib\.d", "[|]x$", "^/usr/[a|b]", "^/$", "^/", r"(x)/?\1", "^/srv/(?P<n>.)",
    "^/kiss", "x$", "^/usr/share/?x",
]  # fmt: skip
NAMES = [
    b"srv", b"usr", b"USR", b"share", b"shared", b"lib", b"lib.d", b"etc", b"hosts", b"ssl", b"certs", b"home", b"dev",
    b".kube", b".Config", b"gcloud", b".bashrc", b"code", b"shop", b"data", b"x", b"x.json", b"x\n", b"x.so", b"k\xc4\xb1ss",
    b"kiss", b"u\xc5\xbfr", b"hosts\n", b"\xff", b"scratch", b"opt", b"bin", b"tool", b"tmp", b"var", b"node_modules",
    b"sharex", b"ho\xc5\xbfts",
]  # fmt: skip
some_patterns = st.lists(st.sampled_from(PATTERNS), max_size=2).map(tuple)
some_rules = st.builds(
    file_rules,
    mode=st.sampled_from(list(Mode)),
    read_only=some_patterns,
    local=some_patterns,
    not_found=st.one_of(st.just(()), some_patterns),
    mapping=st.one_of(
        st.just(()), st.lists(st.tuples(st.sampled_from(PATTERNS), st.sampled_from(["/usr", "/srv/x", "x"]))).map(tuple)
    ),
    home=st.sampled_from([b"/home/dev", b"/var/me", b"/", b"/srv/Home"]),
    working_directory=st.sampled_from([b"/code/Shop", b"/", b"/home/dev/.kube/x", b"/usr/share"]),
)
some_paths = st.lists(st.sampled_from(NAMES), max_size=4).map(lambda parts: b"/" + b"/".join(parts))
