"""The wheels alone do: built, installed into a new environment outside the checkout, and used from there."""

from __future__ import annotations

import email
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.run import PYTHON, Runner, new_runner
from tests.kit.target import Target

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(900)]
ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("protocol", "agent", "layer-unix", "cli")


def sources(package: str, folder: Path) -> Path:
    """A copy of a package as a checkout has it, without what earlier builds left in it."""
    skip = shutil.ignore_patterns("build", "dist", "__pycache__", "*.so", ".*")
    return shutil.copytree(ROOT / "packages" / package, folder / package, ignore=skip)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A wheel of each package, made from its sdist, as an installer without our wheel would."""
    folder = tmp_path_factory.mktemp("wheels")
    for package in PACKAGES:
        build = [sys.executable, "-m", "build", "--outdir", str(folder), str(sources(package, folder / "sources"))]
        subprocess.run(build, check=True, capture_output=True, timeout=600)
    return {package: next(folder.glob(f"mirrord_{package.replace('-', '_')}-*.whl")) for package in PACKAGES}


@pytest.fixture(scope="module")
def environment(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new virtual environment with the wheels and what they depend on."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([PYTHON, "-m", "venv", str(folder)], check=True)
    install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *map(str, wheels.values())]
    subprocess.run(install, check=True, timeout=600)
    return folder


@pytest.fixture
def installed(environment: Path, tmp_path: Path) -> Iterator[Runner]:
    with new_runner(tmp_path, [str(environment / "bin" / "mirrord")]) as runner:
        yield runner


def test_the_layers_wheel_says_what_it_needs(wheels: dict[str, Path]) -> None:
    assert re.search(r"-manylinux_2_17_x86_64(\.manylinux2014_x86_64)?\.whl$", wheels["layer-unix"].name)
    names = zipfile.ZipFile(wheels["layer-unix"]).namelist()

    assert [name for name in names if name.endswith(".so")]


@pytest.mark.parametrize("package", ["protocol", "agent", "cli"])
def test_the_others_run_anywhere(wheels: dict[str, Path], package: str) -> None:
    assert wheels[package].name.endswith("-py3-none-any.whl")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_is_complete(wheels: dict[str, Path], package: str) -> None:
    wheel = zipfile.ZipFile(wheels[package])
    names = wheel.namelist()
    metadata = email.message_from_bytes(
        wheel.read(next(name for name in names if name.endswith(".dist-info/METADATA")))
    )

    assert metadata["License-Expression"] == "MIT"
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert any(name.endswith("/py.typed") for name in names)
    assert not any(
        "test" in name or name.startswith("/") for name in names if name.endswith(".py") and "testing" not in name
    )


def test_it_runs_from_there(installed: Runner, target: Target) -> None:
    done = installed.exec(
        target,
        "bash",
        "-c",
        "echo $SHOP_NAME; cat /srv/shop/tree/a/side.txt; sha256sum < /srv/shop/large.bin | cut -c -8",
    )

    assert (done.stderr, done.stdout) == ("", "Pears & Sons\nside\nc7b170e9\n")


def test_the_battery_of_python_runs_from_there(installed: Runner, target: Target) -> None:
    calls = str(shutil.copy(Path(__file__).parent / "programs" / "calls.py", installed.folder))
    truth = installed.plainly(target, PYTHON, calls)

    seen = installed.exec(target, PYTHON, calls)

    assert (seen.stderr, seen.stdout.splitlines()) == ("", truth.splitlines())


@pytest.mark.parametrize("command", ["mirrord", "mirrord-agent"])
def test_commands_say_what_they_are(environment: Path, command: str) -> None:
    said = subprocess.run([environment / "bin" / command, "--help"], capture_output=True, text=True, check=True).stdout

    assert command in said
