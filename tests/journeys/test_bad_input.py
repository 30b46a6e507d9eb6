"""Whatever goes wrong ends in a clear error with its category, exit code and next step; never in a hang or a leftover."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journeys.conftest import LARGE, Ordinary
from tests.kit.run import PYTHON, Runner, processes, wait_gone
from tests.kit.target import Target

pytestmark = pytest.mark.journey


def refused(done: subprocess.CompletedProcess[str], *words: str) -> str:
    """A refusal: says its words and a next step, doesn't run the program, shows no traceback; its text."""
    assert done.returncode != 0
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    for word in words:
        assert re.search(word, done.stderr, re.IGNORECASE), (word, done.stderr)
    return done.stderr


@pytest.fixture
def codes(runner: Runner, target: Target) -> dict[str, int]:
    """The exit codes by category, as the command line gives them for a plain case of each."""
    return {
        "you": runner.exec(target, "./no-such-program").returncode,
        "configuration": runner.run([*runner.command, "exec", "-f", "no-such.json", "--", "true"]).returncode,
    }


def test_missing_program(runner: Runner, target: Target) -> None:
    refused(runner.exec(target, "no-such-program"), "no-such-program", "not found|no such")


def test_program_that_may_not_be_run(runner: Runner, target: Target) -> None:
    (runner.folder / "plain.txt").write_text("text")

    refused(runner.exec(target, "./plain.txt"), "plain.txt", "execut|permission")


def test_script_with_a_missing_interpreter(runner: Runner, target: Target) -> None:
    script = runner.folder / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)

    refused(runner.exec(target, "./script"), "/no/such/interpreter")


def test_script(runner: Runner, target: Target) -> None:
    script = runner.folder / "script"
    script.write_text("#!/bin/sh\ncat /srv/shop/tree/a/side.txt\n")
    script.chmod(0o755)

    assert runner.exec(target, "./script").stdout == "side\n"


def test_static_program(runner: Runner, target: Target, compile_c: Callable[..., str]) -> None:
    program = compile_c("calls.c", "gcc", "-static")

    refused(runner.exec(target, program), "static")


def test_static_child_gets_a_warning_and_runs(runner: Runner, target: Target, compile_c: Callable[..., str]) -> None:
    program = compile_c("small.c", "gcc", "-static")

    done = runner.exec(target, "sh", "-c", f"{program}; {program}; cat /srv/shop/tree/a/side.txt")

    assert done.stdout == "small\nsmall\nside\n"
    assert done.stderr.count("linked statically") == 1


def test_set_user_id_program(runner: Runner, target: Target) -> None:
    """One that would become somebody else: for its own user's process it is a program like any other."""
    program = runner.folder / "privileged"
    shutil.copy("/bin/true", program)
    if os.getuid() == 0:
        os.chown(program, 1, 1)
        program.chmod(0o4755)
    else:
        program = Path("/bin/su")

    refused(runner.exec(target, str(program)), "set-user-id|setuid|privileged")


def test_no_target(runner: Runner) -> None:
    refused(runner.exec(None, "true"), "target")


@pytest.mark.parametrize(
    "name",
    ["process/x", "process/", "pods/shop", "deployment/", "pod/Shop", "nonsense", "process/-1", "process/99999999999"],
)
def test_target_that_cannot_be(runner: Runner, name: str) -> None:
    refused(runner.exec(name, "true"), name.partition("/")[0])


def test_target_that_is_gone(runner: Runner, own_target: Target) -> None:
    own_target.process.stdin and own_target.process.stdin.close()
    assert wait_gone(own_target.pid)

    refused(runner.exec(own_target, "true"), str(own_target.pid), "gone|no such|not running|no process")


def test_kernel_thread_as_target(runner: Runner) -> None:
    threads = [p.name for p in Path("/proc").iterdir() if p.name.isdecimal() and not (p / "cmdline").read_bytes()]
    if not threads:
        pytest.skip("no kernel threads are visible here")
    refused(runner.exec(f"process/{threads[0]}", "true"), threads[0])


def test_somebody_elses_process(runner: Runner, ordinary: Ordinary) -> None:
    command = [*ordinary.become, *runner.arguments(f"process/{os.getpid()}", ["true"], ["-q"])]

    done = runner.run(command, cwd=ordinary.home, env={"HOME": str(ordinary.home)})

    refused(done, str(os.getpid()), "permission|not allowed|may not|right", "root|same user|sudo")


def test_configuration_mistakes(runner: Runner, target: Target) -> None:
    config = runner.folder / "mirrord.json"
    for text, words in {
        '{"feature": {"evn": false}}': ("evn", "env"),
        '{"feature": {"network": {"incoming": "seal"}}}': ("seal", "steal"),
        '{"feature": {"fs": {"mode": "wirte"}}}': ("wirte",),
        '{"feature": {"fs": {"local": ["("]}}}': ("local", r"\("),
        '{"feature": ': ("mirrord.json", "json"),
    }.items():
        config.write_text(text)
        refused(runner.exec(target, "true", options=("-q", "-f", str(config))), *words)
    refused(runner.exec(target, "true", options=("-q", "-f", "missing.json")), "missing.json")


def test_categories_have_exit_codes_of_their_own(codes: dict[str, int]) -> None:
    assert len(set(codes.values())) == len(codes)
    assert not {0, 1} & set(codes.values())


def started(runner: Runner, target: Target, program: str) -> subprocess.Popen[bytes]:
    process = runner.start(
        runner.arguments(target, [PYTHON, "-c", program], ["-q"]),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    return process


READ_AGAIN = (
    "import errno, sys; file = open('/srv/shop/large.bin', 'rb', 0); first = file.read(10); print('ready', flush=True); input()\n"
    "for path in ('/srv/shop/empty', '/srv/shop/orders/005.txt'):\n"
    "    try: open(path); print('opened')\n"
    "    except OSError as error: print(errno.errorcode[error.errno])\n"
    "print(open('/etc/passwd').read()[:4])"
)


def victims(runner: Runner, process: subprocess.Popen[bytes], word: str) -> list[int]:
    """The processes of a run whose command line has a word, but the program itself."""
    return [pid for pid, line in processes(runner.mark).items() if pid != process.pid and word in line]


def test_session_killed(runner: Runner, target: Target) -> None:
    """The program goes on: remote calls fail with EIO, local ones don't notice."""
    with started(runner, target, READ_AGAIN) as process:
        for pid in victims(runner, process, ""):
            os.kill(pid, 9)
            assert wait_gone(pid)
        out, err = process.communicate(b"\n", 30)

    assert out.decode().splitlines() == ["EIO", "EIO", "root"]
    assert process.returncode == 0, err


def test_agent_killed(runner: Runner, target: Target) -> None:
    with started(runner, target, READ_AGAIN) as process:
        agents = victims(runner, process, "mirrord_agent")
        assert agents
        for pid in agents:
            os.kill(pid, 9)
            assert wait_gone(pid)
        out, err = process.communicate(b"\n", 30)

    assert out.decode().splitlines() == ["EIO", "EIO", "root"]
    assert process.returncode == 0, err


def test_agent_killed_in_mid_read(runner: Runner, own_target: Target) -> None:
    """A large file that is still coming: what is there can be read, the rest is EIO, never zeros."""
    own_target.write("/srv/huge.bin", b"\x01" * 300_000_000)
    program = (
        "import errno, os; file = os.open('/srv/huge.bin', os.O_RDONLY); print('ready', flush=True); input(); seen = 0\n"
        "try:\n"
        "    while chunk := os.read(file, 1 << 20):\n"
        "        assert not chunk.strip(b'\\1'), 'zeros'\n"
        "        seen += len(chunk)\n"
        "except OSError as error: print(errno.errorcode[error.errno])\n"
        "else: print('all', seen)"
    )
    with started(runner, own_target, program) as process:
        for pid in victims(runner, process, "mirrord_agent"):
            os.kill(pid, 9)
        out, err = process.communicate(b"\n", 60)

    assert out in {b"EIO\n", b"all 300000000\n"}, err
    assert process.returncode == 0, err


def test_target_gone_in_the_middle(runner: Runner, own_target: Target) -> None:
    with started(runner, own_target, READ_AGAIN) as process:
        assert own_target.process.stdin
        own_target.process.stdin.close()
        assert wait_gone(own_target.pid)
        out, err = process.communicate(b"\n", 30)

    lines = out.decode().splitlines()
    assert lines[-1] == "root"
    assert set(lines[:-1]) <= {"EIO", "opened"}
    assert process.returncode == 0, err


def test_too_many_descriptors(runner: Runner, target: Target) -> None:
    program = (
        "import errno, os, resource; resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30)); files = []\n"
        "try:\n"
        "    while True: files.append(os.open('/srv/shop/empty', os.O_RDONLY))\n"
        "except OSError as error: print(errno.errorcode[error.errno])\n"
        "for file in files: os.close(file)\n"
        "print(len(files) > 15, len(open('/srv/shop/lines.txt').read()))"
    )

    done = runner.exec(target, PYTHON, "-c", program)

    assert (done.stderr, done.stdout) == ("", "EMFILE\nTrue 8890\n")


@pytest.mark.parametrize("limit", ["-Sn 12", "-n 64", "-n 256"])
def test_few_descriptors_allowed(runner: Runner, target: Target, limit: str) -> None:
    """A session takes what the hard limit allows; with 64 of them everything works."""
    program = (
        "cat /srv/shop/empty /srv/shop/tree/a/side.txt; wc -c < /srv/shop/large.bin; ls -R /srv/shop/orders | wc -l"
    )
    command = shlex.join(runner.arguments(target, ["sh", "-c", program], ["-q"]))

    done = runner.run(["bash", "-c", f"ulimit {limit} && exec {command}"])

    assert (done.stderr, done.stdout) == ("", "side\n6000000\n121\n")


def test_too_few_descriptors_allowed(runner: Runner, target: Target) -> None:
    command = shlex.join(runner.arguments(target, ["true"], ["-q"]))

    done = runner.run(["bash", "-c", f"ulimit -n 32 && exec {command}"])

    refused(done, "64 file descriptors", "ulimit")


def test_disk_full_for_the_temporary_file(runner: Runner, target: Target) -> None:
    """A large file needs room on this machine; without it the program gets ENOSPC, not zeros."""
    small = runner.folder / "small"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], capture_output=True, check=False
    ).returncode:
        pytest.skip("mounting needs root")
    try:
        program = "import errno, os\ntry: print(len(open('/srv/shop/large.bin', 'rb').read()))\nexcept OSError as e: print(errno.errorcode[e.errno])"
        done = runner.exec(target, PYTHON, "-c", program, env={"TMPDIR": str(small)})
        assert (done.stderr, done.stdout) == ("", "ENOSPC\n")
        assert list(small.iterdir()) == []
    finally:
        assert runner.leftovers() == []
        subprocess.run(["umount", str(small)], check=True)


def test_disk_full_of_files_that_nobody_has_open(runner: Runner, own_target: Target) -> None:
    """They are kept for whoever opens them again, but not at the price of others."""
    small = runner.folder / "small"
    small.mkdir()
    own_target.write("/srv/shop/other.bin", LARGE)
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(small)], capture_output=True, check=False
    ).returncode:
        pytest.skip("mounting needs root")
    try:
        program = "import sys\nfor path in sys.argv[1:]: print(len(open(path, 'rb').read()))"
        paths = [f"/srv/shop/{name}.bin" for name in ("large", "other", "large")]
        done = runner.exec(own_target, PYTHON, "-c", program, *paths, env={"TMPDIR": str(small)})
        assert (done.stderr, done.stdout) == ("", f"{len(LARGE)}\n" * 3)
    finally:
        assert runner.leftovers() == []
        subprocess.run(["umount", str(small)], check=True)


def test_odd_names(runner: Runner, own_target: Target) -> None:
    names = [b"x" * 255, b"new\nline", b"\xff\xfe", b" ", "zoë".encode(), b"-rf", b"*?[", b"tab\t'\"\\$"]
    for name in names:
        own_target.write("/srv/odd/one")
        Path(os.fsdecode(os.fsencode(own_target.path("/srv/odd/")) + b"/" + name)).write_bytes(name[::-1])
    program = (
        "import os, sys\nseen = sorted(os.listdir(b'/srv/odd'))\n"
        "assert all(open(b'/srv/odd/' + n, 'rb').read() == n[::-1] for n in seen if n != b'one'), seen\nprint(ascii(seen))"
    )

    done = runner.exec(own_target, PYTHON, "-c", program)

    assert (done.stderr, done.stdout) == ("", ascii(sorted([*names, b"one"])) + "\n")


def test_names_that_are_too_long(runner: Runner, target: Target) -> None:
    program = (
        "import errno, os\n"
        "for path in ('/srv/' + 'x' * 256, '/srv' + '/x' * 2100, '/srv/shop/' + '../shop/' * 300 + 'empty'):\n"
        "    try: print(os.stat(path).st_size)\n    except OSError as e: print(errno.errorcode[e.errno])"
    )

    assert runner.exec(target, PYTHON, "-c", program).stdout == "ENAMETOOLONG\nENAMETOOLONG\n0\n"


def test_nothing_climbs_out_of_the_targets_root(runner: Runner, own_target: Target) -> None:
    own_target.write("/srv/secret", "the target's\n")
    own_target.link("/srv/up", "../../../../../../../../srv/secret")
    own_target.link("/srv/absolute", "/srv/secret")
    own_target.link("/srv/outside", "../../../../../../../../../../.." + str(runner.folder) + "/mine")
    (runner.folder / "mine").write_text("this machine's\n")
    program = "cat /srv/up /srv/absolute /srv/../../../srv/secret; cat /srv/outside"

    done = runner.exec(own_target, "sh", "-c", program)

    assert done.stdout == "the target's\n" * 3
    assert "No such file" in done.stderr


def test_special_files(runner: Runner, own_target: Target) -> None:
    """A FIFO is read as it comes and never parks an agent; the target's /proc has no sizes."""
    os.mkfifo(own_target.path("/srv/fifo"))
    config = runner.folder / "mirrord.json"
    config.write_text('{"feature": {"fs": {"read_only": ["^/proc/version", "^/proc/1/comm"]}}}')
    writer = os.open(own_target.path("/srv/fifo"), os.O_RDWR)
    try:
        os.write(writer, b"through\n")
        done = runner.exec(
            own_target, "sh", "-c", "head -n 1 /srv/fifo; cat /proc/1/comm", options=("-q", "-f", str(config))
        )
    finally:
        os.close(writer)

    assert done.stderr == ""
    assert done.stdout.startswith("through\npython")
