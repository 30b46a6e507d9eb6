"""Becoming the program: what passes through, and what stands in the way. Each case runs in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

HEAD = """
import os, sys
from mirrord_cli.errors import MirrordError
from mirrord_cli.launch.image import become, own_environment
try:
    become({path!r}, {arguments!r}, {environment})
except MirrordError as error:
    print(error, error.next_step)
    sys.exit(error.exit_code)
"""


def become(
    path: str, *arguments: str, environment: str = "{b'A': b'1'}", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    program = HEAD.format(
        path=os.fsencode(path), arguments=[os.fsencode(each) for each in (path, *arguments)], environment=environment
    )
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def test_arguments_environment_and_exit_code() -> None:
    done = become("/bin/sh", "-c", 'printf "%s|" "$A" "$@"; env | grep -c .; exit 7', "x", "one", "", "two three")

    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout.startswith("1|one||two three|")


def test_signals_that_python_ignores_are_as_ever() -> None:
    done = become("/bin/sh", "-c", "grep SigIgn /proc/self/status")

    assert done.stdout.split() == ["SigIgn:", "0" * 16]


def test_a_script_without_a_first_line(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo $A $1\n")
    script.chmod(0o755)

    assert become(str(script), "x").stdout == "1 x\n"


def test_what_the_kernel_refuses_is_said(tmp_path: Path) -> None:
    gone = become(str(tmp_path / "gone"))
    large = become("/bin/true", environment="{b'A': b'x' * (4 << 20)}")
    nul = become("/bin/true", environment="{b'A': b'x\\0y'}")

    assert (gone.returncode, large.returncode, nul.returncode) == (126, 126, 126)
    assert "No such file" in gone.stdout
    assert "feature.env.exclude" in large.stdout
    assert "can't be run" in nul.stdout


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
def test_the_environment_is_what_this_process_was_started_with(locale: str) -> None:
    """An interpreter that starts in the C locale changes its own."""
    given = {"LC_ALL": "", "LANG": locale, "EMPTY": "", "BYTES": "\udcff"}

    done = subprocess.run(
        [sys.executable, "-c", "from mirrord_cli.launch.image import own_environment; print(own_environment())"],
        env=given, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout.strip() == str({os.fsencode(name): os.fsencode(value) for name, value in given.items()})
