"""Reading what strace writes: arguments, directories, strings, stacks; and what of it a layer must have caught."""

from __future__ import annotations

import pytest

from tests.coverage.trace import Call, Frame, addresses, excuse, missed, parse

LIBC = "/usr/lib/x86_64-linux-gnu/libc.so.6"
TRACE = f"""\
execve("/usr/bin/cat", ["cat", "/srv/f", "sp\\"a, ce"], 0x559468c35160 /* 35 vars */) = 0
 > {LIBC}(execve+0x7) [0xd4ad7]
 > /usr/bin/bash(shell_execve+0x32) [0x47162]
openat(AT_FDCWD</home/dev>, "f\\303\\244\\n\\\\", O_RDONLY|O_CLOEXEC) = 3</home/dev/f>
 > {LIBC}(__open64_nocancel+0x51) [0xf8011]
 > {LIBC}(fopen+0xa) [0x11111]
 > /usr/bin/cat() [0x2752]
 > {LIBC}(__libc_start_main+0x85) [0x27305]
newfstatat(3</home/dev/f>, "", {{st_mode=S_IFREG|0644, st_size=3, ...}}, AT_EMPTY_PATH) = 0
 > {LIBC}(fstatat+0xe) [0xf8011]
readlink("l", "f", 64)                  = 1
 > {LIBC}(readlink+0x7) [0xf9ab7]
statx(5</srv/a, b>(deleted), "x", AT_STATX_SYNC_AS_STAT, STATX_MODE|STATX_SIZE, {{stx_mask=0, ...}}) = 0
fchdir(4</srv/there>) = 0
access("y", R_OK) = -1 ENOENT (No such file or directory)
 > [vdso](__vdso_time+0x1) [0x1]
 > unexpected_backtracing_error [0x0]
renameat2(AT_FDCWD</srv/there>, "a", 7</srv/to>, "/b", RENAME_NOREPLACE) = -1 EXDEV (Invalid cross-device link)
symlink("target", "name") = 0
openat(AT_FDCWD</srv/there>, "new", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 3</srv/there/new>
chdir("..") = 0
utimensat(3</srv/there/new>, NULL, [{{tv_sec=1, tv_nsec=0}}, UTIME_OMIT], 0) = 0
stat("z", {{st_mode=S_IFREG|0644, st_size=3, ...}}) = 0
--- SIGCHLD {{si_signo=SIGCHLD, si_code=CLD_EXITED}} ---
+++ exited with 0 +++
"""


@pytest.fixture(scope="module")
def calls() -> list[Call]:
    return list(parse(TRACE.splitlines(keepends=True)))


def test_paths(calls: list[Call]) -> None:
    assert [(call.name, call.paths) for call in calls] == [
        ("execve", (b"/usr/bin/cat",)),
        ("openat", (b"/home/dev/f\xc3\xa4\n\\",)),
        ("readlink", (b"/home/dev/l",)),
        ("statx", (b"/srv/a, b/x",)),
        ("access", (b"/srv/there/y",)),
        ("renameat2", (b"/srv/there/a", b"/b")),
        ("symlink", (b"/srv/there/name",)),
        ("openat", (b"/srv/there/new",)),
        ("chdir", (b"/srv/there/..",)),
        ("stat", (b"/srv/there/../z",)),
    ]


def test_outcomes(calls: list[Call]) -> None:
    assert {call.name for call in calls if call.error} == {"access", "renameat2"}
    assert [(call.name, call.paths[0]) for call in calls if call.changing] == [
        ("renameat2", b"/srv/there/a"),
        ("symlink", b"/srv/there/name"),
        ("openat", b"/srv/there/new"),
    ]


def test_functions(calls: list[Call]) -> None:
    assert [call.function for call in calls[:3]] == ["execve", "fopen", "readlink"]
    assert calls[1].frames[0] == Frame(LIBC, "__open64_nocancel")
    assert str(calls[1]).endswith(": fopen, called by /usr/bin/cat")
    assert str(calls[0]).endswith(": execve, called by /usr/bin/bash shell_execve")
    assert calls[4].function == ""


def call(path: bytes, *frames: Frame, changing: bool = False) -> Call:
    return Call("openat", (path,), changing, None, frames)


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ((Frame("/lib64/ld-linux-x86-64.so.2", "x"), Frame(LIBC, "dlopen")), "the dynamic loader"),
        ((Frame("/x/libmirrord_layer.so", "hook"), Frame("/usr/bin/cat", "")), "the layer"),
        ((Frame(LIBC, "open"), Frame(LIBC, "setlocale"), Frame("/usr/bin/cat", "main")), "setlocale"),
        ((Frame(LIBC, "open"), Frame("/x/libmirrord_layer.so", "hook"), Frame("/usr/bin/cat", "")), None),
        ((Frame(LIBC, "open"), Frame("/usr/bin/cat", "setlocale")), None),
        ((), None),
    ],
)
def test_excuses(frames: tuple[Frame, ...], expected: str | None) -> None:
    assert excuse(call(b"/srv/x", *frames)) == expected


@pytest.mark.parametrize(
    ("path", "changing", "is_missed"),
    [
        (b"/srv", False, True),
        (b"/srv/x", False, True),
        (b"/srvx", False, False),
        (b"/srv/x", True, False),
        (b"/scratch/d/x", False, True),
        (b"/scratch/d/x", True, True),
        (b"/usr/x", False, False),
    ],
)
def test_missed(path: bytes, changing: bool, is_missed: bool) -> None:
    one = call(path, changing=changing)

    assert missed([one], b"/srv", b"/scratch") == ([one] if is_missed else [])
    excused = call(path, Frame("/lib64/ld-linux-x86-64.so.2", "x"), changing=changing)
    assert missed([excused], b"/srv", b"/scratch") == []


def test_addresses_that_the_kernel_got() -> None:
    lines = [
        'connect(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("10.0.0.1")}, 16) = 0',
        'getpeername(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("10.0.0.2")}, [16]) = 0',
        'bind(3, {sa_family=AF_INET6, inet_pton(AF_INET6, "::1", &sin6_addr), sin6_scope_id=0}, 28) = 0',
        'sendmmsg(3, [{msg_name={sin_addr=inet_addr("10.0.0.3")}}, {msg_name={sin_addr=inet_addr("10.0.0.4")}}]) = 2',
        'connect(3, {sa_family=AF_UNIX, sun_path="/x"}, 110) = 0',
    ]

    assert list(addresses(lines)) == ["10.0.0.1", "::1", "10.0.0.3", "10.0.0.4"]
