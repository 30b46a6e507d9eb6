"""Compiles the layer and the cffi module beside it: `python -m mirrord_layer_unix.build`, and the wheel's build hook.

Everything is compiled by zig, which PyPI has, for the oldest libc we support; sanitizer builds use the machine's gcc.
An output is made again only if its sources or its command changed. Imports nothing of the package: it runs before
there is one.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import io
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
"""Where outputs go: beside this module."""
SOURCES = PACKAGE.parent.parent / "csrc"
SCRATCH = PACKAGE.parent.parent / "build"

LIBRARY = "libmirrord_layer.so"
MODULE = "_pure.abi3.so"
GLIBC = "2.17"
PYTHON_ABI = "0x030B0000"  # the limited API of Python 3.11

PURE = ("table.c", "address.c", "elf.c", "dns.c", "errno.c", "hooklist.c", "generated/wire.c")
"""What the cffi module is made of."""

WARNINGS = ("-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Wvla", "-Wshadow", "-Wmissing-prototypes")
SHARED = ("-shared", "-fPIC", "-fvisibility=hidden", "-fno-common", "-U_FORTIFY_SOURCE", "-Wl,-z,now", "-Wl,-z,relro")
LAYER = ("-fno-plt", "-fno-strict-aliasing", "-fomit-frame-pointer", "-Wl,-z,defs", f"-Wl,-soname,{LIBRARY}")


class BuildFailed(Exception):
    """The compiler is missing, or refused a source; the text says which."""


@dataclass(frozen=True, slots=True)
class Output:
    """One thing to build: where it goes, the compiler's command without `-o`, and what it depends on."""

    path: Path
    command: Sequence[str]
    sources: Sequence[Path] = field(repr=False)

    @property
    def stamp(self) -> Path:
        """The file that says what the output was made from."""
        return SCRATCH / f"{self.path.parent.name}-{self.path.name}.stamp"

    def digest(self) -> str:
        """What the output depends on, as one number."""
        digest = hashlib.sha256("\0".join(self.command).encode())
        for source in self.sources:
            digest.update(source.name.encode() + b"\0" + source.read_bytes())
        return digest.hexdigest()


def zig() -> list[str]:
    """The compiler for what is shipped, aimed at the oldest glibc; musl loads the result too.

    Raises:
        BuildFailed: The `ziglang` package isn't installed.
    """
    try:
        import ziglang
    except ModuleNotFoundError as error:
        raise BuildFailed("the package ziglang is missing, which compiles the layer: pip install ziglang") from error
    machine = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    target = f"{machine}-linux-gnu.{GLIBC}"
    return [str(Path(ziglang.__file__).parent / "zig"), "cc", "-target", target, "-O2", "-fno-sanitize=all", "-s"]


def gcc() -> list[str]:
    """The machine's compiler with its sanitizers, which zig can't link.

    Raises:
        BuildFailed: There is none.
    """
    if not shutil.which("gcc"):
        raise BuildFailed("gcc is missing, which compiles the layer with sanitizers: apt-get install gcc libc6-dev")
    sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    return ["gcc", "-O1", "-g", "-fno-omit-frame-pointer", *sanitize]


def layer_sources() -> list[Path]:
    """Every C file of the preloaded library."""
    units = [path for path in SOURCES.glob("*.c") if path.name != "hooklist.c"]
    return sorted([*units, *SOURCES.glob("hooks/*.c"), *SOURCES.glob("generated/*.c")])


def headers() -> list[Path]:
    """What the C files include."""
    return sorted(path for path in SOURCES.rglob("*") if path.suffix in {".h", ".def", ".cdef"})


def includes() -> list[str]:
    """Where our headers are found; by quotes alone, since elf.h is a name of the system's too."""
    return ["-iquote", str(SOURCES), "-iquote", str(SOURCES / "generated")]


def layer_output(path: Path, compiler: list[str]) -> Output:
    """The preloaded library."""
    units = layer_sources()
    flags = [*WARNINGS, *SHARED, *LAYER]
    if "-fsanitize=address,undefined" in compiler:
        flags.remove("-Wl,-z,defs")  # the sanitizers' functions come with the preloaded runtime
    return Output(path, [*compiler, *flags, *includes(), *map(str, units)], [*units, *headers()])


def module_source() -> Path:
    """Write the C file of the cffi module."""
    import cffi

    ffi = cffi.FFI()
    ffi.cdef((SOURCES / "pure.cdef").read_text())
    names = ("table.h", "address.h", "elf.h", "dns.h", "hooklist.h", "layer.h")
    ffi.set_source("mirrord_layer_unix._pure", "".join(f'#include "{name}"\n' for name in names), py_limited_api=True)
    SCRATCH.mkdir(exist_ok=True)
    path = SCRATCH / "_pure.c"
    with contextlib.redirect_stdout(io.StringIO()):  # it tells what it writes
        ffi.emit_c_code(str(path))
    return path


def module_output(path: Path) -> Output:
    """The cffi module of the pure units.

    Raises:
        BuildFailed: Python's headers are missing.
    """
    source = module_source()
    include = sysconfig.get_path("include")
    if not os.path.exists(os.path.join(include, "Python.h")):
        raise BuildFailed(f"Python's headers are missing from {include}: apt-get install python3-dev")
    units = [source, *(SOURCES / name for name in PURE)]
    # Debian's Python.h needs a header of /usr/include that zig must not prefer to its own libc.
    flags = [f"-DPy_LIMITED_API={PYTHON_ABI}", f"-I{include}", "-idirafter", "/usr/include"]
    lax = [flag for flag in WARNINGS if flag not in {"-Wmissing-prototypes", "-Wextra"}]
    return Output(path, [*zig(), *lax, *SHARED, *flags, *includes(), *map(str, units)], [*units, *headers()])


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let one build run at a time, so that tests started together don't disturb each other."""
    SCRATCH.mkdir(exist_ok=True)
    with open(SCRATCH / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make(output: Output, *, force: bool = False) -> bool:
    """Compile an output unless it stands; whether anything was done.

    Raises:
        BuildFailed: The compiler refused.
    """
    digest = output.digest()
    if not force and output.path.exists() and output.stamp.exists() and output.stamp.read_text() == digest:
        return False
    output.path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.path.parent, prefix=".build-") as folder:
        made = Path(folder) / output.path.name
        result = subprocess.run([*output.command, "-o", str(made)], capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise BuildFailed(f"{output.path.name} doesn't compile:\n{result.stderr.strip()}")
        made.replace(output.path)
    output.stamp.write_text(digest)
    return True


def build(*, sanitize: bool = False, force: bool = False) -> list[Path]:
    """Build what is missing or out of date; the paths that were made anew.

    Raises:
        BuildFailed: A compiler is missing or refused, or this is no checkout.
    """
    if not SOURCES.is_dir():
        raise BuildFailed(f"{PACKAGE} is an installed package: its sources are in the checkout and in the sdist")
    with alone():
        if sanitize:
            outputs = [layer_output(SCRATCH / "sanitized" / LIBRARY, gcc())]
        else:
            outputs = [layer_output(PACKAGE / LIBRARY, zig()), module_output(PACKAGE / MODULE)]
        return [output.path for output in outputs if make(output, force=force)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, and say what was built; the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m mirrord_layer_unix.build", description=__doc__)
    parser.add_argument("--sanitize", action="store_true", help="the library with ASan and UBSan, by gcc, into build/")
    parser.add_argument("--force", action="store_true", help="even if nothing changed")
    options = parser.parse_args(arguments)
    try:
        made = build(sanitize=options.sanitize, force=options.force)
    except BuildFailed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for path in made:
        print(f"built {os.path.relpath(path)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
