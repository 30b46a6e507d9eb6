"""Children see what their parent sees, however they were made and whatever they were given."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.kit.run import PYTHON, Runner
from tests.kit.target import Target

pytestmark = pytest.mark.journey
SIDE = "/srv/shop/tree/a/side.txt"


def run(runner: Runner, target: Target, program: str) -> str:
    done = runner.exec(target, PYTHON, "-c", program)
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


@pytest.mark.parametrize(
    "call",
    [
        "subprocess.run(['cat', side])",
        "subprocess.run(['cat', side], close_fds=True, env={})",
        "subprocess.run(['/usr/bin/env', '-i', '/bin/cat', side])",
        "subprocess.run(['cat', side], close_fds=False, env={'PATH': '/usr/bin:/bin'})",
        "subprocess.run(f'cat < {side}', shell=True)",
        "subprocess.run(['cat'], stdin=open(side))",
        "subprocess.run(['cat', 'side.txt'], cwd='/srv/shop/tree/a')",
        "subprocess.run(['cat', side], start_new_session=True)",
        "os.system(f'cat {side}')",
        "os.waitpid(os.posix_spawn('/bin/cat', ['cat', side], {}), 0)",
        "os.waitpid(os.posix_spawnp('cat', ['cat', side], os.environ), 0)",
        "os.execve('/bin/cat', ['cat', side], {})",
        "os.execvp('cat', ['cat', side])",
        "os.fork() or (print(open(side).read(), end='', flush=True), os._exit(0)); os.wait()",
        "print(os.popen(f'cat {side}').read(), end='')",
    ],
)
def test_child(runner: Runner, target: Target, call: str) -> None:
    assert run(runner, target, f"import os, subprocess; side = '{SIDE}'; {call}") == "side\n"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(runner: Runner, target: Target, method: str) -> None:
    program = runner.folder / "pool.py"
    program.write_text(
        "import multiprocessing, sys\n"
        "def size(n):\n"
        "    return len(open(f'/srv/shop/orders/{n:03}.txt').read())\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:\n"
        "        print(sum(pool.map(size, range(100))))\n"
        "        pool.close(); pool.join()\n"
    )

    done = runner.exec(target, PYTHON, str(program), method)

    assert (done.stderr, done.stdout) == ("", f"{sum(len(f'order {n}') + 1 for n in range(100))}\n")


def test_threads(runner: Runner, target: Target) -> None:
    program = (
        "from concurrent.futures import ThreadPoolExecutor as T\n"
        "read = lambda n: len(open(f'/srv/shop/orders/{n % 120:03}.txt').read())\n"
        "print(sum(T(8).map(read, range(480))))"
    )

    assert run(runner, target, program) == f"{4 * sum(len(f'order {n}') + 1 for n in range(120))}\n"


def test_a_child_goes_on_after_its_parent(runner: Runner, target: Target) -> None:
    """The session lives as long as anyone who holds its link."""
    program = (
        "import os, sys\n"
        "r, w = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    os.close(w); os.read(r, 1)\n"  # ends when the parent has ended
        f"    print(open('{SIDE}').read(), end='', flush=True); os._exit(0)\n"
        "os._exit(0)"
    )

    assert run(runner, target, program) == "side\n"


def test_descriptors_passed_by_fork_exec_and_socket(runner: Runner, target: Target) -> None:
    program = (
        "import os, socket, subprocess, array\n"
        "file = open('/srv/shop/large.bin', 'rb'); file.seek(4_000_000)\n"
        "here, there = socket.socketpair()\n"
        "socket.send_fds(here, [b'x'], [file.fileno()])\n"
        "_, [copy], *_ = socket.recv_fds(there, 1, 1)\n"
        "print(os.fstat(copy).st_ino == os.stat('/srv/shop/large.bin').st_ino, os.pread(copy, 4, 5_000_000).hex())\n"
        "os.set_inheritable(copy, True)\n"
        "print(subprocess.run(['sha256sum', f'/dev/fd/{copy}'], pass_fds=[copy], capture_output=True, text=True).stdout[:8])\n"
    )
    truth = "True 001312d0\n"

    assert run(runner, target, program).startswith(truth)


def test_closing_everything_keeps_the_link(runner: Runner, target: Target) -> None:
    program = f"import os; os.closerange(3, 65536); print(open('{SIDE}').read(), end='')"

    assert run(runner, target, program) == "side\n"


def test_vfork_child_of_c(runner: Runner, target: Target, compile_c: Callable[..., str]) -> None:
    done = runner.exec(target, compile_c("children.c"), SIDE)

    assert (done.stderr, done.stdout) == ("", "fork side\nvfork side\nspawn side\nclosed side\n")
