"""Messages as bytes: something else is refused, and so is too much."""

from __future__ import annotations

import msgspec
import pytest

from mirrord_cli.session import framed
from mirrord_cli.session.framed import FrameBroken, Reader, frame


class Word(msgspec.Struct, tag=True, array_like=True):
    text: str
    number: int


class Other(msgspec.Struct, tag=True, array_like=True):
    text: str


TOO_FEW_FIELDS = msgspec.msgpack.encode(["Word", "a"])


def test_byte_by_byte() -> None:
    said = [Word("a", 1), Other("b"), Word("", 1 << 40)]
    reader: Reader[Word | Other] = Reader(Word | Other)
    heard = list[Word | Other]()

    for byte in b"".join(map(frame, said)):
        heard += reader.feed(bytes([byte]))

    assert heard == said


@pytest.mark.parametrize(
    "data",
    [b"\xff\xff\xff\xff", b"\1\0\0\0\xc1", b"\0\0\0\0", len(TOO_FEW_FIELDS).to_bytes(4, "little") + TOO_FEW_FIELDS],
)
def test_something_else_is_refused(data: bytes) -> None:
    with pytest.raises(FrameBroken):
        Reader[Word](Word).feed(data)


def test_another_kind_is_refused() -> None:
    with pytest.raises(FrameBroken):
        Reader[Word](Word).feed(frame(Other("a")))


def test_too_much_is_refused_before_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framed, "MOST", 10)

    with pytest.raises(FrameBroken, match="Other"):
        frame(Other("more than ten bytes"))
