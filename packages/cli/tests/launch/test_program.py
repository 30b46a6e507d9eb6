"""Which file a program's name means, and which programs the layer can't enter."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mirrord_cli.errors import MirrordError
from mirrord_cli.launch.program import Found, find_program, installations
from mirrord_layer_unix import build

Make = Callable[..., bytes]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make an executable file with a text."""

    def make(name: str, text: str = "", mode: int = 0o755) -> bytes:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return os.fsencode(path)

    return make


def refusal(name: bytes, code: int, path: bytes | None = b"/usr/bin:/bin") -> str:
    with pytest.raises(MirrordError) as caught:
        find_program(name, path)
    assert caught.value.exit_code == code
    assert caught.value.next_step
    return str(caught.value)


def test_path_is_searched_in_its_order(make: Make, tmp_path: Path) -> None:
    second, third = make("second/tool", "#!/bin/sh\n"), make("third/tool", "#!/bin/sh\n")
    make("first/tool", mode=0o644)
    folders = os.fsencode(f"{tmp_path}/none:{tmp_path}/first:{tmp_path}/second:{tmp_path}/third")

    assert find_program(b"tool", folders).path == second
    assert find_program(b"tool", os.fsencode(f"{tmp_path}/third")).path == third


def test_an_empty_folder_of_path_is_the_working_directory(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("tool", "#!/bin/sh\n")
    monkeypatch.chdir(tmp_path)

    assert find_program(b"tool", b"").path == b"./tool"


def test_without_path_the_system_is_searched() -> None:
    assert find_program(b"sh", None).path == b"/bin/sh"


def test_a_dynamic_program() -> None:
    assert find_program(b"/bin/cat", None) == Found(b"/bin/cat", os.path.realpath(b"/bin/cat"))


def test_a_script_is_its_interpreter(make: Make) -> None:
    script = make("script", "#!/bin/sh -e\n")
    outer = make("outer", f"#!{os.fsdecode(script)}\n")

    assert find_program(script, None).file == os.path.realpath(b"/bin/sh")
    assert find_program(outer, None) == Found(outer, os.path.realpath(b"/bin/sh"))


def test_a_script_without_a_first_line_is_the_shells(make: Make) -> None:
    assert find_program(make("script", "echo hello\n"), None).file == os.path.realpath(b"/bin/sh")


def test_what_is_not_there() -> None:
    assert "no-such-program" in refusal(b"no-such-program", 127)
    assert "./no-such" in refusal(b"./no-such", 127)
    assert refusal(b"", 127)


def test_what_may_not_be_run(make: Make, tmp_path: Path) -> None:
    assert "not executable" in refusal(make("plain", mode=0o644), 126)
    assert "directory" in refusal(os.fsencode(tmp_path), 126)
    assert "not executable" in refusal(b"only", 126, os.path.dirname(make("only", mode=0o644)))


def test_a_missing_interpreter(make: Make) -> None:
    assert "/no/such/interpreter" in refusal(make("script", "#!/no/such/interpreter\n"), 127)


def test_a_ring_of_scripts(make: Make, tmp_path: Path) -> None:
    assert "script" in refusal(make("ring", f"#!{tmp_path}/ring\n"), 126)


def test_a_static_program_is_refused_unless_skipped(tmp_path: Path) -> None:
    source, made = tmp_path / "main.c", os.fsencode(tmp_path / "static")
    source.write_text("void _start(void) { for (;;); }\n")
    subprocess.run([build.zig()[0], "cc", "-nostdlib", "-static", "-o", made, str(source)], check=True)

    assert "statically" in refusal(made, 126)
    assert find_program(made, None, frozenset([b"static"])).path == made


def test_a_program_that_changes_its_user_is_refused(tmp_path: Path) -> None:
    if os.getuid() == 0:
        made = shutil.copy("/bin/true", tmp_path / "privileged")
        os.chown(made, 1, 1)
    else:
        made = "/bin/su"
    if os.getuid() == 0:
        os.chmod(made, 0o4755)

    assert "set-user-ID" in refusal(os.fsencode(made), 126)


def test_a_program_of_another_machine_is_refused(tmp_path: Path) -> None:
    made = tmp_path / "foreign"
    made.write_bytes(
        b"\x7fELF\x02\x01\x01" + bytes(9) + (2).to_bytes(2, "little") + (183).to_bytes(2, "little") + bytes(100)
    )
    made.chmod(0o755)

    assert "not a program for this machine" in refusal(os.fsencode(made), 126)


def test_what_lies_beside_a_program_is_of_this_machine(make: Make, tmp_path: Path) -> None:
    top = os.fsencode(tmp_path)
    program = make("bin/tool")
    for name in ("lib", "etc", "tools", "elsewhere", "elsewhere/sbin", "elsewhere/share"):
        (tmp_path / name).mkdir()
    (tmp_path / "linked").symlink_to("elsewhere/sbin")

    found = installations(program, b":".join([top + b"/linked", b"relative", b"", top + b"/tools", top + b"/gone"]))

    assert set(found) == {
        top + b"/" + name for name in (b"bin", b"lib", b"tools", b"linked", b"elsewhere/sbin", b"elsewhere/share")
    }


def test_the_root_is_no_installation() -> None:
    found = installations(b"/bin/sh", b"/sbin:/")

    assert not {b"/", b"/bin", b"/lib"} & set(found)  # of a merged /usr, what the links lead to may be named


def test_programs_that_the_layer_leaves_alone(make: Make) -> None:
    tools = frozenset({b"tool", b"sh"})
    plain, script = make("plain", "#!/bin/cat\n"), make("tool", "#!/bin/cat\n")
    link = script + b"-link"
    os.symlink("/bin/cat", link)

    assert find_program(b"sh", None, tools).skipped
    assert find_program(b"cat", None, frozenset({os.path.basename(os.path.realpath(b"/bin/cat"))})).skipped
    assert find_program(link, None, frozenset({b"tool-link"})).skipped
    assert not find_program(link, None, tools).skipped
    assert not find_program(plain, None, tools).skipped
    assert not find_program(script, None, tools).skipped  # its interpreter is the one that is loaded
    assert find_program(make("text", "echo"), None, tools).skipped
