"""What the tests of this package share: the built layer, compiled test programs, a scripted session."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # `layer_session` and its kin

from layer_names import Names, serve_names  # noqa: E402 - found by the line above
from layer_network import Network  # noqa: E402 - likewise
from layer_programs import Both, Programs, Runner, need, sanitize  # noqa: E402 - likewise
from layer_session import Session, scripted_session  # noqa: E402 - likewise
from layer_table import HOSTNAME_LOCAL, NAMES_LOCAL  # noqa: E402 - likewise
from mirrord_layer_unix import build  # noqa: E402 - likewise


@pytest.fixture(scope="session")
def library() -> Path:
    """The layer as it is shipped."""
    build.build()
    return build.PACKAGE / build.LIBRARY


@pytest.fixture(scope="session")
def compile_program(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    """Compile a program of tests/programs, by its name without `.c`."""
    return Programs(tmp_path_factory.mktemp("programs"))


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """The directory that plays the target's files: programs see it below `/remote-files`."""
    folder = tmp_path / "truth"
    folder.mkdir()
    return folder


@pytest.fixture
def session(truth: Path, tmp_path: Path, library: Path) -> Iterator[Session]:
    """A scripted session for `truth`."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with scripted_session(truth, scratch, library) as made:
        yield made


@pytest.fixture
def network(session: Session) -> Iterator[Network]:
    """The target's network: servers that echo at port 7, and ports 9 that refuse."""
    made = Network(session.remote, session.table)
    session.table.set_network(NAMES_LOCAL | HOSTNAME_LOCAL)
    for host in ("10.99.0.1", "2001:db8::1"):
        made.add(host, 7)
        made.add(host, 9, failure="ECONNREFUSED")
    yield made
    session.die()
    made.close()


@pytest.fixture(params=["shipped", "sanitized"])
def run_both(
    request: pytest.FixtureRequest, session: Session, truth: Path, compile_program: Programs, tmp_path: Path
) -> Both:
    """Run a test program on the plain system with the real directory, then under the layer with the remote one.

    Its first argument is that directory, the others are as given. Both runs must end with 0: the program asserts.
    A test with this fixture runs twice: with the layer as it is shipped, and with one that has ASan and UBSan in it.
    """
    if request.param == "sanitized":
        sanitize(session)
    return Runner(compile_program, session, truth, tmp_path)


@pytest.fixture
def run_musl(session: Session, truth: Path, compile_program: Programs, tmp_path: Path) -> Both:
    """The same for a program of the other libc, with the layer as it is shipped."""
    need("musl-gcc")
    return Runner(compile_program, session, truth, tmp_path, compiler="musl-gcc")


@pytest.fixture(params=["zig", "musl-gcc"])
def compiler(request: pytest.FixtureRequest) -> str:
    """The compiler of a test's programs, once for each libc."""
    made: str = request.param
    if made == "musl-gcc":
        need(made)
    return made


@pytest.fixture
def names(session: Session) -> Names:
    """What the session answers about names."""
    return serve_names(session)
