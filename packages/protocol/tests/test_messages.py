"""Messages: there and back, the shared vectors, and whatever else arrives is an error and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given

from mirrord_protocol.failure import LocalProtocolError, RemoteProtocolError
from mirrord_protocol.messages import decode_message, encode_message
from mirrord_protocol.schema import load
from mirrord_protocol.values import Credit, Failure, FailureKind, Hello, Message, Open, Ping, Target, Welcome
from protocol_samples import MESSAGES, messages, vector, vectors


@given(messages)
def test_there_and_back(message: Message) -> None:
    data = encode_message(message)

    assert data[:4] == bytes(4)
    assert len(data) % 8 == 0
    assert decode_message(data) == message


@pytest.mark.parametrize("name", MESSAGES)
def test_vectors(name: str) -> None:
    assert encode_message(MESSAGES[name]) == vector(f"message_{name}")
    assert decode_message(vector(f"message_{name}")) == MESSAGES[name]


def test_each_member_of_the_union_has_a_sample() -> None:
    fields = load().Message.schema.node.struct.fields

    assert list(MESSAGES) == [field.name for field in fields]


def test_each_vector_is_checked_in() -> None:
    for name, make in vectors().items():
        assert vector(name) == make(), f"{name}: run protocol_samples.py if this was wanted"


def test_misaligned_views_are_read() -> None:
    data = b"1234567" + vector("message_open")

    assert decode_message(memoryview(data)[7:]) == MESSAGES["open"]


def test_large_messages_stay_in_one_segment() -> None:
    welcome = Welcome(
        target=Target(1, 2, 3, b"n", b"h", b"/"),
        environment=tuple((b"NAME%d" % n, b"v" * 97) for n in range(5000)),
    )

    assert decode_message(encode_message(welcome)) == welcome


def test_a_message_may_be_as_large_as_a_frame() -> None:
    assert len(encode_message(bytes((1 << 20) - 100))) <= 1 << 20


def test_too_large_a_message() -> None:
    with pytest.raises(LocalProtocolError, match="too large"):
        encode_message(bytes(3 << 20))


@pytest.mark.parametrize(
    "message", [Ping(-1), Credit(1 << 64), Open(b"x", content=-1), Failure(FailureKind.SYSTEM, "ENOSUCH"), "text"]
)
def test_values_that_do_not_fit(message: Message) -> None:
    with pytest.raises(LocalProtocolError):
        encode_message(message)


def test_an_error_does_not_tell_the_token() -> None:
    with pytest.raises(LocalProtocolError) as caught:
        encode_message(Hello(b"secret", major=1 << 20))

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", MESSAGES)
def test_cut_off_or_longer(name: str) -> None:
    data = vector(f"message_{name}")
    for wrong in (b"", data[:7], data[:-8], data + bytes(8), bytes(8)):
        with pytest.raises(RemoteProtocolError):
            decode_message(wrong)


def test_more_than_one_segment_is_refused() -> None:
    builder = load().Message.new_message(num_first_segment_words=4)
    builder.path = b"x" * 100
    with pytest.raises(RemoteProtocolError, match="segment"):
        decode_message(builder.to_bytes())


def test_text_that_is_not_utf_8() -> None:
    data = vector("message_goodbye").replace("ünicode".encode(), b"\xff\xfenicode")
    with pytest.raises(RemoteProtocolError):
        decode_message(data)


def test_an_unknown_member_of_the_union() -> None:
    data = bytearray(vector("message_ack"))
    data[16:18] = b"\xff\x00"
    with pytest.raises(RemoteProtocolError):
        decode_message(bytes(data))


def test_what_a_newer_side_may_say_of_failures() -> None:
    data = bytearray(encode_message(Failure(FailureKind.SYSTEM, "ENOENT", "new")))
    at = data.index(b"\x02\x00", 40)
    data[at : at + 2] = b"\xe7\x03"

    assert decode_message(bytes(data)) == Failure(FailureKind.SYSTEM, "EIO", "new")
    data[at - 2 : at] = b"\x63\x00"
    assert decode_message(bytes(data)) == Failure(FailureKind.INTERNAL, None, "new")


def test_an_unknown_form_is_refused() -> None:
    data = bytearray(vector("message_opened"))
    at = next(at for at in range(24, 64, 2) if data[at : at + 2] == b"\x01\x00" and at >= 40)
    data[at] = 77
    with pytest.raises(RemoteProtocolError):
        decode_message(bytes(data))


def test_a_small_message_cannot_become_a_large_value() -> None:
    """Many pointers to the same bytes: reading them all is refused, since each reading counts."""
    size, count = 4096, 500
    builder = load().Message.new_message(num_first_segment_words=1 << 16)
    hello = builder.init("hello")
    include = hello.init("include", count)
    include[0] = b"x" * size
    data = bytearray(builder.to_bytes())
    text = data.index(b"x" * size)
    first = next(at for at in range(24, text, 8) if data[at : at + 8] != bytes(8) and data[at + 4] == (size << 3 | 2) & 0xFF
                 and int.from_bytes(data[at + 4 : at + 8], "little") == size << 3 | 2)  # fmt: skip
    for index in range(count):
        at = first + index * 8
        offset = (text - at - 8) // 8
        data[at : at + 8] = (offset << 2 | 1).to_bytes(4, "little") + (size << 3 | 2).to_bytes(4, "little")
    with pytest.raises(RemoteProtocolError):
        decode_message(bytes(data))
