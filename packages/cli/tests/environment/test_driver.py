"""Reading a dotenv file."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirrord_cli.environment.driver import read_env_file
from mirrord_cli.errors import MirrordError


def test_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.env").write_text("A=$B\n")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert read_env_file(str(tmp_path / "x.env"), {b"B": b"b"}) == {b"A": b"b"}
    assert read_env_file("~/x.env", {}) == {b"A": b""}


@pytest.mark.parametrize(
    ("data", "said"),
    [(None, "can't be read: No such file"), (b"A=1\nB", "line 2: it is not"), (b"#" * 2_000_000, "larger than")],
)
def test_what_cannot_be_used(tmp_path: Path, data: bytes | None, said: str) -> None:
    path = tmp_path / "x.env"
    if data is not None:
        path.write_bytes(data)

    with pytest.raises(MirrordError, match=said) as caught:
        read_env_file(str(path), {})
    assert caught.value.category == "configuration"
    assert str(path) in caught.value.text
