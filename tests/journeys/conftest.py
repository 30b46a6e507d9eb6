"""What all journeys start from: targets with known files, a runner that checks for leftovers, tools of the machine."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.kit.around import Around, start_around
from tests.kit.run import PYTHON, Runner, new_runner, required
from tests.kit.serving import free_port
from tests.kit.target import Target, TargetUnavailable, start_target

ROOT = Path(__file__).parent.parent.parent
NOBODY = 65534
VARIABLES = {
    "SHOP_NAME": "Pears & Sons",
    "SHOP_SECRET": "sesame",
    "SHOP_LINES": "one\ntwo",
    "EMPTY": "",
    "HOME": "/srv/home",
    "PATH": "/remote/bin",
    "LD_LIBRARY_PATH": "/remote/lib",
}
LARGE = b"".join(number.to_bytes(4, "big") for number in range(1_500_000))  # 6 MB: above what a memfd gets
MODIFIED = 1_234_567_890_123_456_789


def fill(target: Target) -> None:
    """The files that journeys look at. Links are relative, so that they mean the same from outside."""
    target.write("/srv/shop/config.json", '{"greeting": "Good morning"}\n', mode=0o640)
    target.write("/srv/shop/empty")
    target.write("/srv/shop/large.bin", LARGE)
    target.write("/srv/shop/middle.bin", LARGE[:700_000])
    target.write("/srv/shop/lines.txt", "".join(f"line {number}\n" for number in range(1000)))
    for number in range(120):
        target.write(f"/srv/shop/orders/{number:03}.txt", f"order {number}\n")
    target.write("/srv/shop/tree/a/b/c/deep.txt", "deep\n")
    target.write("/srv/shop/tree/a/side.txt", "side\n")
    target.write("/srv/shop/run.sh.txt", "#!/bin/sh\necho ran\n", mode=0o755)
    target.link("/srv/shop/current", "orders")
    target.link("/srv/shop/loop", "loop")
    target.link("/srv/shop/dangling", "nowhere")
    os.utime(target.path("/srv/shop/config.json"), ns=(MODIFIED - 5, MODIFIED))


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A target in namespaces and with a root of its own."""
    try:
        with start_target(VARIABLES, root=tmp_path_factory.mktemp("root")) as target:
            fill(target)
            yield target
    except TargetUnavailable as error:
        pytest.skip(f"no namespaces for a target on this machine: {error}")


@pytest.fixture
def own_target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The same, for a test that changes it."""
    try:
        with start_target(VARIABLES, root=tmp_path_factory.mktemp("root")) as target:
            fill(target)
            yield target
    except TargetUnavailable as error:
        pytest.skip(f"no namespaces for a target on this machine: {error}")


@pytest.fixture(scope="session")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Around]:
    """A target with a network around it that only it can reach."""
    try:
        with start_around(VARIABLES, root=tmp_path_factory.mktemp("root")) as around:
            yield around
    except TargetUnavailable as error:
        pytest.skip(f"no namespaces for a target on this machine: {error}")


@pytest.fixture
def own_around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Around]:
    """The same, for a test that changes it."""
    try:
        with start_around(VARIABLES, root=tmp_path_factory.mktemp("root")) as around:
            yield around
    except TargetUnavailable as error:
        pytest.skip(f"no namespaces for a target on this machine: {error}")


@pytest.fixture
def port(around: Around) -> Iterator[int]:
    """A port on which the target serves HTTP."""
    found = free_port()
    around.target.listen(found)
    yield found
    around.target.unlisten(found)


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    """Runs mirrord; fails the test if a process or a file of a run is left."""
    with new_runner(tmp_path) as runner:
        yield runner


@dataclass(frozen=True, slots=True)
class Ordinary:
    """Someone who isn't root: how to become them, and their home."""

    become: tuple[str, ...]
    home: Path


@pytest.fixture
def ordinary() -> Iterator[Ordinary]:
    """An ordinary user who can run this checkout; only root can become one."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become someone else")
    needed = (ROOT, Path(sys.prefix), Path(sys.base_prefix))
    become = (PYTHON, "-I", "-S", str(ROOT / "tests/kit/ordinary.py"), str(NOBODY), *map(str, needed), "--")
    probe = [*become, sys.executable, "-c", "import os, sys, mirrord_cli; os.stat(sys.executable)"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        pytest.skip(f"an ordinary user can't run this checkout here: {done.stderr.strip().rpartition(chr(10))[2]}")
    with tempfile.TemporaryDirectory() as home:
        os.chown(home, NOBODY, NOBODY)
        yield Ordinary(become, Path(home))


@pytest.fixture(scope="session")
def require() -> Callable[[str], str]:
    """The path of a program of this machine; without it the test is skipped, or fails where `CI` is set."""

    return required


@pytest.fixture
def compile_c(tmp_path: Path, require: Callable[[str], str]) -> Callable[..., str]:
    """Compiles a C program of the `programs` folder; its path."""

    def build(name: str, compiler: str = "gcc", *flags: str) -> str:
        output = tmp_path / f"{name.removesuffix('.c')}-{compiler}"
        source = Path(__file__).parent / "programs" / name
        subprocess.run([require(compiler), "-O1", "-w", "-o", str(output), str(source), *flags], check=True)
        return str(output)

    return build
