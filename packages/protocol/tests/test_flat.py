"""Structs without pointers: there and back, byte for byte as pycapnp, and the shared vectors."""

from __future__ import annotations

import pytest
from hypothesis import given

from mirrord_protocol.failure import LocalProtocolError, RemoteProtocolError
from mirrord_protocol.flat import (
    LAYER_REPLY_SIZE,
    LAYER_REQUEST_SIZE,
    decode_file_system,
    decode_layer_reply,
    decode_layer_request,
    encode_file_system,
    encode_layer_reply,
    encode_layer_request,
)
from mirrord_protocol.layer_values import LayerOperation, LayerOutcome, LayerReply, LayerRequest
from mirrord_protocol.schema import load
from mirrord_protocol.values import FileSystem
from protocol_samples import (
    BARE_STAT,
    FILE_SYSTEM,
    LAYER_REPLIES,
    LAYER_REQUESTS,
    file_systems,
    layer_replies,
    layer_requests,
    vector,
)


@given(layer_requests)
def test_requests_there_and_back(request: LayerRequest) -> None:
    data = encode_layer_request(request)

    assert len(data) == LAYER_REQUEST_SIZE == 64
    assert decode_layer_request(data) == request


@given(layer_replies)
def test_replies_there_and_back(reply: LayerReply) -> None:
    data = encode_layer_reply(reply)

    assert len(data) == LAYER_REPLY_SIZE == 168
    assert decode_layer_reply(memoryview(data)) == reply


@given(file_systems)
def test_file_systems_there_and_back(system: FileSystem) -> None:
    assert decode_file_system(encode_file_system(system)) == system


@pytest.mark.parametrize("name", LAYER_REQUESTS)
def test_request_vectors(name: str) -> None:
    assert encode_layer_request(LAYER_REQUESTS[name]) == vector(name)
    assert decode_layer_request(vector(name)) == LAYER_REQUESTS[name]


@pytest.mark.parametrize("name", LAYER_REPLIES)
def test_reply_vectors(name: str) -> None:
    assert encode_layer_reply(LAYER_REPLIES[name]) == vector(name)
    assert decode_layer_reply(vector(name)) == LAYER_REPLIES[name]


def test_file_system_vector() -> None:
    assert decode_file_system(vector("file_system")) == FILE_SYSTEM


def test_pycapnp_reads_a_reply_so() -> None:
    with load().LayerReply.from_bytes(vector("layer_reply_failed")) as read:
        assert (str(read.outcome), str(read.errno), str(read.form)) == ("failed", "eshutdown", "foreign")
    with load().LayerReply.from_bytes(vector("layer_reply")) as read:
        assert read.stat.modifiedSeconds == -1
        assert read.stat.modifiedNanoseconds == 999_999_999


def test_an_unknown_errno_reads_as_an_input_output_error() -> None:
    data = bytearray(encode_layer_reply(LayerReply(LayerOutcome.FAILED, errno="ENOENT")))
    data[18:20] = b"\xff\x03"

    assert decode_layer_reply(bytes(data)).errno == "EIO"


@pytest.mark.parametrize("decode", [decode_layer_request, decode_layer_reply, decode_file_system])
def test_malformed_bytes(decode: object) -> None:
    good = vector({"decode_layer_request": "layer_request", "decode_layer_reply": "layer_reply"}.get(
        decode.__name__, "file_system"))  # type: ignore[attr-defined] # fmt: skip
    for data in (b"", good[:-1], good + b"\0", b"\1" + good[1:]):
        with pytest.raises(RemoteProtocolError):
            decode(data)  # type: ignore[operator]


def test_unknown_enum_values_are_refused() -> None:
    for name, decode, at in (("layer_request", decode_layer_request, 16), ("layer_reply", decode_layer_reply, 20)):
        data = bytearray(vector(name))
        data[at] = 200
        with pytest.raises(RemoteProtocolError):
            decode(bytes(data))


def test_numbers_that_do_not_fit() -> None:
    with pytest.raises(LocalProtocolError):
        encode_layer_request(LayerRequest(LayerOperation.OPEN, payload=1 << 16))
    with pytest.raises(LocalProtocolError):
        encode_layer_reply(LayerReply(LayerOutcome.FAILED, errno="ENOSUCH"))
    with pytest.raises(LocalProtocolError):
        encode_layer_reply(LayerReply(LayerOutcome.DONE, stat=BARE_STAT, length=-1))
