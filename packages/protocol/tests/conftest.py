"""What the tests of this package share: samples of every message, and the C side compiled."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # `protocol_samples`, `protocol_c`

import protocol_c  # noqa: E402 - found by the line above


@pytest.fixture(scope="session")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that reads messages with the C readers; see protocol_c.py."""
    return protocol_c.build_reader(tmp_path_factory.mktemp("wire"))


@pytest.fixture(scope="session")
def run_wire(wire: Path) -> protocol_c.Run:
    def run(command: str, data: bytes) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([wire, command], input=data, capture_output=True, check=False, timeout=60)

    return run
