"""What `strace -ff -k -y` writes, as calls with paths and with the functions that made them. No I/O.

Which calls a layer must have caught is decided here too: `missed`. The programs that are traced are in test_programs.py.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

OPTIONS = ("-ff", "-k", "-y", "-s", "16384", "-e", "trace=%file,fchdir", "-e", "signal=none")

ONE: tuple[tuple[int | None, int], ...] = ((None, 0),)
AT: tuple[tuple[int | None, int], ...] = ((0, 1),)
PLACES = {
    **dict.fromkeys(
        ("open", "creat", "stat", "lstat", "access", "readlink", "chdir", "chroot", "execve", "mkdir", "rmdir", "unlink",
         "chmod", "chown", "lchown", "utime", "utimes", "truncate", "statfs", "mknod", "swapon", "umount2", "acct",
         "getxattr", "lgetxattr", "listxattr", "llistxattr", "setxattr", "lsetxattr", "removexattr", "lremovexattr"),
        ONE,
    ),
    **dict.fromkeys(
        ("openat", "openat2", "newfstatat", "fstatat64", "statx", "faccessat", "faccessat2", "readlinkat", "execveat",
         "mkdirat", "unlinkat", "fchmodat", "fchownat", "utimensat", "futimesat", "mknodat", "name_to_handle_at"),
        AT,
    ),
    "rename": ((None, 0), (None, 1)),
    "link": ((None, 0), (None, 1)),
    "renameat": ((0, 1), (2, 3)),
    "renameat2": ((0, 1), (2, 3)),
    "linkat": ((0, 1), (2, 3)),
    "symlink": ((None, 1),),
    "symlinkat": ((1, 2),),
    "inotify_add_watch": ((None, 1),),
}  # fmt: skip
"""Where a system call has its paths: the argument with the directory, if there is one, and that with the path."""
CHANGES = frozenset(
    {"creat", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "chmod", "fchmodat", "chown", "lchown", "fchownat", "utime",
     "utimes", "utimensat", "futimesat", "truncate", "mknod", "mknodat", "rename", "renameat", "renameat2", "link", "linkat",
     "symlink", "symlinkat", "setxattr", "lsetxattr", "removexattr", "lremovexattr"}
)  # fmt: skip
CHANGING_FLAGS = ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC")
LAYER = "libmirrord_layer.so"
SERVICES = frozenset(
    {"setlocale", "newlocale", "dcgettext", "dcngettext", "bindtextdomain", "iconv_open", "catopen",
     "tzset", "localtime", "localtime_r", "mktime", "strftime", "strftime_l",
     "getaddrinfo", "getpwnam", "getpwuid", "getpwuid_r", "getpwnam_r", "getgrnam", "getgrgid", "getgrgid_r"}
)  # fmt: skip
"""Functions of libc that read files of the system for themselves: their calls can't be seen by a preloaded library."""

_CALL = re.compile(r"(\w+)\((.*)\)\s+= (-?\w+)(?:<[^>]*>)?(?:\(deleted\))?(?: (\w+))?", re.DOTALL)
_FRAME = re.compile(r" > (?P<module>[^(\[]+?)\((?P<function>[^()]*?)(?:\+0x[0-9a-f]+)?\) \[0x[0-9a-f]+\]")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|<[^<>]*>|[\[{(]|[\]})]|,|[^"<\[{(\]}),]+|.', re.DOTALL)
_DIRECTORY = re.compile(r"[\w-]+<([^>]*)>(?:\(deleted\))?")


@dataclass(frozen=True, slots=True)
class Frame:
    """One function on the stack of a call, the innermost first."""

    module: str
    function: str


@dataclass(frozen=True, slots=True)
class Call:
    """One system call that names files."""

    name: str
    paths: tuple[bytes, ...]
    """Absolute; `..` and links are as the program gave them. A relative one of an unknown directory is left relative."""
    changing: bool
    error: str | None
    frames: tuple[Frame, ...]

    @property
    def function(self) -> str:
        """The function of libc that the program called, or the empty string if it called the kernel itself."""
        outer = ""
        for frame in self.frames:
            if not _is_libc(frame.module):
                break
            outer = frame.function
        return outer

    def __str__(self) -> str:
        paths = ", ".join(path.decode(errors="backslashreplace") for path in self.paths)
        above = next((frame for frame in self.frames if not _is_libc(frame.module)), Frame("?", ""))
        return f"{self.name} {paths}: {self.function or 'no function of libc'}, called by {above.module} {above.function}".rstrip()


def _is_libc(module: str) -> bool:
    return posixpath.basename(module).startswith(("libc.so", "libc-", "ld-musl"))


def excuse(call: Call) -> str | None:
    """Return what makes a call that the layer can't see, or makes itself; None for all others."""
    innermost = posixpath.basename(call.frames[0].module) if call.frames else ""
    if innermost.startswith(("ld-linux", "ld64")):
        return "the dynamic loader"
    if innermost == LAYER:
        return "the layer"
    return call.function if call.function in SERVICES else None


def missed(calls: Iterable[Call], remote: bytes, stand_ins: bytes) -> list[Call]:
    """Return the calls that reached the kernel though the layer should have caught them.

    What reads below `remote` is the session's to answer. What changes it is done on this machine, under the same name,
    but never relative to a stand-in directory: these are below `stand_ins`.
    """
    return [
        call
        for call in calls
        if not excuse(call)
        and any(_is_below(path, stand_ins) or (_is_below(path, remote) and not call.changing) for path in call.paths)
    ]


def _is_below(path: bytes, folder: bytes) -> bool:
    return path == folder or path.startswith(folder + b"/")


def parse(lines: Iterable[str]) -> Iterator[Call]:
    """Yield the calls of one thread: of one file that `strace -ff` wrote."""
    directory: bytes | None = None
    head: str | None = None
    frames: list[Frame] = []
    for line in [*lines, "+++\n"]:
        if line.startswith(" > "):
            if found := _FRAME.match(line):
                frames.append(Frame(found["module"], found["function"]))
            continue
        if head is not None and (made := _call(head, tuple(frames), directory)):
            call, directory = made
            if call.paths:
                yield call
        head, frames = line, []


def _call(line: str, frames: tuple[Frame, ...], directory: bytes | None) -> tuple[Call, bytes | None] | None:
    found = _CALL.match(line)
    if not found:
        return None  # a signal, an exit
    name, error = found[1], found[4] if found[3] == "-1" else None
    arguments = _split(found[2])
    current = next((where for each in arguments if each.startswith("AT_FDCWD<") and (where := _directory(each))), None)
    directory = current or directory
    paths = []
    for base_at, path_at in PLACES.get(name, ()):
        path = _string(arguments[path_at]) if path_at < len(arguments) else None
        if not path:  # none, or an empty one, which means the descriptor
            continue
        base = directory if base_at is None else _directory(arguments[base_at])
        paths.append(path if path.startswith(b"/") or base is None else base + b"/" + path)
    if name == "fchdir" and not error:
        directory = _directory(arguments[0])
    elif name == "chdir" and not error:
        directory = paths[0]
    changing = name in CHANGES or (name.startswith("open") and any(flag in found[2] for flag in CHANGING_FLAGS))
    return Call(name, tuple(paths), changing, error, frames), directory


def _split(arguments: str) -> list[str]:
    """Split at the commas that are in no string, bracket or name of a descriptor."""
    parts, depth = [""], 0
    for token in _TOKEN.findall(arguments):
        if token == "," and not depth:
            parts.append("")
            continue
        depth += (token in "[{(") - (token in "]})") if len(token) == 1 else 0
        parts[-1] += token
    return [part.strip() for part in parts]


def _string(argument: str) -> bytes | None:
    return _unescape(argument[1:-1]) if argument.startswith('"') else None


def _directory(argument: str) -> bytes | None:
    found = _DIRECTORY.match(argument)
    return _unescape(found[1]) if found else None


def _unescape(text: str) -> bytes:
    return text.encode("latin-1").decode("unicode_escape").encode("latin-1")


_HOST = re.compile(r"inet_addr\(\"([\d.]+)\"\)|inet_pton\(AF_INET6, \"([\da-fA-F:.]+)\"")


def addresses(lines: Iterable[str]) -> Iterator[str]:
    """Yield the addresses that a thread gave to the kernel, to connect to, to bind or to send to."""
    for line in lines:
        if line.startswith(("connect(", "bind(", "sendto(", "sendmsg(", "sendmmsg(")):
            for four, six in _HOST.findall(line):
                yield four or six
