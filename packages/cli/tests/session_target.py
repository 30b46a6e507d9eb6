"""A target's file system in memory, for tests of what is remembered: directories, files, links, and watches."""

from __future__ import annotations

import stat as modes
from dataclasses import dataclass, field
from itertools import count

from mirrord_protocol.messages import encode_chunk
from mirrord_protocol.values import DirectoryEntry, Stat

Answer = Stat | bytes | str


@dataclass
class Node:
    inode: int
    version: int = 0
    link: bytes | None = None
    entries: dict[bytes, Node] | None = None
    allowed: int = 7

    @property
    def stat(self) -> Stat:
        if self.entries is not None:
            mode, size = modes.S_IFDIR | 0o755, 0
        else:
            mode, size = (modes.S_IFLNK | 0o777, 0) if self.link is not None else (modes.S_IFREG | 0o644, self.version)
        return Stat(
            device=1, inode=self.inode, size=size, blocks=0, rdev=0, mode=mode, links=1, uid=0, gid=0, block_size=4096,
            allowed=self.allowed, accessed=0, modified=self.version, changed=self.version,
        )  # fmt: skip


class Failed(Exception):
    """With the errno's name."""


@dataclass
class FakeTarget:
    numbers: count[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.root = Node(next(self.numbers), entries={})

    # ------------------------------------------------------------------------------------------ changes

    def put(self, path: bytes, *, link: bytes | None = None, folder: bool = False) -> None:
        """Replace what is at a path, or write to a file; nothing where that can't be."""
        parent, name = self._place(path)
        if parent is None or parent.entries is None or not name:
            return
        old = parent.entries.get(name)
        if old and old.entries is None and old.link is None and link is None and not folder:
            old.version += 1
            return
        parent.entries[name] = Node(next(self.numbers), link=link, entries={} if folder else None)
        parent.version += 1

    def remove(self, path: bytes) -> Node | None:
        parent, name = self._place(path)
        if parent is None or parent.entries is None or name not in parent.entries:
            return None
        parent.version += 1
        return parent.entries.pop(name)

    def move(self, path: bytes, to: bytes) -> None:
        if to.startswith(path) or path.startswith(to):
            return
        parent, name = self._place(to)
        if parent is not None and parent.entries is not None and name and (node := self.remove(path)):
            parent.entries[name] = node
            parent.version += 1

    def forbid(self, path: bytes) -> None:
        parent, name = self._place(path)
        if parent is not None and parent.entries is not None and name in parent.entries:
            parent.entries[name].allowed ^= 1

    def _place(self, path: bytes) -> tuple[Node | None, bytes]:
        head, _, name = path.rpartition(b"/")
        try:
            return self._walk(head or b"/", follow=True)[0], name
        except Failed:
            return None, b""

    # ------------------------------------------------------------------------------------------ questions

    def _walk(self, path: bytes, *, follow: bool, depth: int = 0) -> tuple[Node, bytes]:
        """Resolve as a kernel does: the node, and the path without links."""
        if depth > 8:
            raise Failed("ELOOP")
        trail, names = [self.root], list[bytes]()
        parts = path.split(b"/")[1:]
        for index, part in enumerate(parts):
            here = trail[-1]
            if here.entries is None:
                raise Failed("ENOTDIR")
            if part and not here.allowed & 1:
                raise Failed("EACCES")
            if part in {b"", b"."}:
                continue
            if part == b"..":
                if len(trail) > 1:
                    trail.pop()
                    names.pop()
                continue
            node = here.entries.get(part)
            if node is None:
                raise Failed("ENOENT")
            if node.link is not None and (follow or index < len(parts) - 1):
                target = node.link if node.link.startswith(b"/") else b"/" + b"/".join([*names, node.link])
                return self._walk(b"/".join([target, *parts[index + 1 :]]), follow=follow, depth=depth + 1)
            trail.append(node)
            names.append(part)
        return trail[-1], b"/" + b"/".join(names)

    def stat(self, path: bytes, *, follow: bool = True) -> Stat | str:
        try:
            return self._walk(path, follow=follow)[0].stat
        except Failed as error:
            return str(error)

    def readlink(self, path: bytes) -> bytes | str:
        try:
            node = self._walk(path, follow=False)[0]
        except Failed as error:
            return str(error)
        return "EINVAL" if node.link is None else node.link

    def realpath(self, path: bytes) -> bytes | str:
        try:
            return self._walk(path, follow=True)[1]
        except Failed as error:
            return str(error)

    def listing(self, path: bytes) -> tuple[Stat, bytes] | str:
        try:
            node = self._walk(path, follow=True)[0]
        except Failed as error:
            return str(error)
        if node.entries is None:
            return "ENOTDIR"
        dots = [DirectoryEntry(name, 0, 4, node.stat if name == b"." else None) for name in (b".", b"..")]
        entries = [
            DirectoryEntry(name, each.inode, each.stat.mode >> 12, each.stat if node.allowed & 1 else None)
            for name, each in node.entries.items()
        ]
        return node.stat, encode_chunk(dots) + encode_chunk(entries)

    def sight(self, path: bytes) -> object:
        """What a watch sees of a path; None where none can be: a link leads there."""
        if self.realpath(path) != path or isinstance(self.listing(path), str):
            return None
        above = [path[:at] or b"/" for at in range(len(path)) if path[at : at + 1] == b"/"]
        return [self._walk(each, follow=True)[0].inode for each in above], self.listing(path)
