"""What the tests of this package share: targets in namespaces, and agents for them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # `agent_kit`, `agent_service`

import agent_kit  # noqa: E402 - found by the line above

VARIABLES = {"SHOP": "Pears & Sons", "LINES": "one\ntwo", "EMPTY": "", "LD_LIBRARY_PATH": "/remote", "LD_PRELOAD": ""}


@pytest.fixture(scope="session")
def target() -> Iterator[agent_kit.Target]:
    """A target in namespaces and with a root of its own; for tests that leave it as it is, or add files."""
    with agent_kit.start_target(*agent_kit.isolated("--hostname=shop"), environment=VARIABLES) as target:
        target.write("/srv/small.txt", b"small\n")
        target.write("/etc/hostname", b"written\n")
        yield target


@pytest.fixture
def own_target() -> Iterator[agent_kit.Target]:
    """The same, for a test that ends it or changes it."""
    with agent_kit.start_target(*agent_kit.isolated()) as target:
        yield target
