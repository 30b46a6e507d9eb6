"""The C readers and writers agree with Python's, on the shared vectors and on any value; malformed bytes are refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirrord_protocol.csource import reader_of_lists
from mirrord_protocol.failure import RemoteProtocolError
from mirrord_protocol.flat import REPLY, REQUEST, STAT, stat_numbers
from mirrord_protocol.layer_values import LayerReply, LayerRequest
from mirrord_protocol.messages import encode_chunk, encode_layer_reply, encode_layer_request, encode_message
from mirrord_protocol.network_messages import LAYER_ADDRESS_SIZE, decode_layer_address, encode_layer_address
from mirrord_protocol.network_values import NOWHERE, Address
from mirrord_protocol.schema import load
from mirrord_protocol.values import DirectoryEntry
from protocol_c import Run
from protocol_samples import (
    ENTRIES,
    FILE_SYSTEM,
    LAYER_REPLIES,
    LAYER_REQUESTS,
    addresses,
    entries,
    layer_replies,
    layer_requests,
    vector,
)

some = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def signed(name: str, value: int) -> int:
    """As C prints it with %lld."""
    del name
    return value - (1 << 64) if value >= 1 << 63 else value


def printed(output: bytes) -> dict[str, int]:
    return {name: int(value) for name, _, value in (line.partition(" ") for line in output.decode().splitlines())}


@some
@given(request_=layer_requests)
def test_requests(run_wire: Run, request_: LayerRequest) -> None:
    data = encode_layer_request(request_)
    expected = {name: signed(name, value) for name, value in zip(REQUEST.names, REQUEST.unpack(data), strict=True)}

    assert printed(run_wire("layer_request", data).stdout) == expected
    assert run_wire("layer_request_again", data).stdout == data


@some
@given(reply=layer_replies)
def test_replies(run_wire: Run, reply: LayerReply) -> None:
    data = encode_layer_reply(reply)
    expected = {name: signed(name, value) for name, value in zip(REPLY.names, REPLY.unpack(data), strict=True)}

    assert printed(run_wire("layer_reply", data).stdout) == expected
    assert run_wire("layer_reply_again", data).stdout == data


@pytest.mark.parametrize("name", [*LAYER_REQUESTS, *LAYER_REPLIES])
def test_vectors_are_written_byte_for_byte(run_wire: Run, name: str) -> None:
    kind = "layer_reply" if name.startswith("layer_reply") else "layer_request"

    assert run_wire(f"{kind}_again", vector(name)).stdout == vector(name)


def test_a_payload_may_follow(run_wire: Run) -> None:
    assert run_wire("layer_request_again", vector("layer_request") + b"payload").stdout == vector("layer_request")


def test_file_system(run_wire: Run) -> None:
    names = printed(run_wire("file_system", vector("file_system")).stdout)

    assert names == {name: signed(name, getattr(FILE_SYSTEM, name)) for name in FILE_SYSTEM.__dataclass_fields__}


def chunk_lines(listed: list[DirectoryEntry]) -> list[str]:
    lines = []
    for entry in listed:
        lines.append(f"entry {entry.inode} {entry.type} {int(entry.stat is not None)} {entry.name.hex()}")
        if entry.stat:
            numbers = stat_numbers(entry.stat)
            lines += [f"{name} {int(signed(name, numbers[name]))}" for name in STAT.names]
    return sorted(lines)


@some
@given(listed=st.lists(entries, max_size=5))
def test_listings(run_wire: Run, listed: list[DirectoryEntry]) -> None:
    data = encode_chunk(listed) + encode_chunk(listed[:2])
    result = run_wire("chunks", data)

    assert result.returncode == 0
    assert sorted(result.stdout.decode().splitlines()) == chunk_lines([*listed, *listed[:2]])


def test_listing_vectors(run_wire: Run) -> None:
    assert sorted(run_wire("chunks", vector("directory_chunk")).stdout.decode().splitlines()) == chunk_lines(
        list(ENTRIES)
    )
    assert run_wire("chunks", vector("directory_chunk_empty")).returncode == 0


@pytest.mark.parametrize("name", ["layer_request", "layer_reply", "file_system", "chunks"])
def test_malformed_bytes(run_wire: Run, name: str) -> None:
    good = vector("directory_chunk" if name == "chunks" else name)
    far = struct.pack("<II", 0, 1) + b"\x02" + bytes(7)
    for data in (b"x", good[:-1], b"\1" + good[1:], far, good[:8] + b"\xff" * 8 + good[16:]):
        assert run_wire(name, data).returncode == 1


def test_another_message_is_no_file_system(run_wire: Run) -> None:
    assert run_wire("file_system", encode_message(b"/path")).returncode == 1


@some
@given(address=addresses)
def test_addresses(run_wire: Run, address: Address) -> None:
    """The 24 bytes are C's struct as it is in memory, the host's bytes in network order."""
    fields = printed(run_wire("address", encode_layer_address(address)).stdout)
    host = b"".join((fields[name] % (1 << 64)).to_bytes(8, "little") for name in ("first", "second"))

    assert (fields["family"], fields["port"], fields["scope"]) == (
        4 if len(address.host) == 4 else 6, address.port, address.scope,
    )  # fmt: skip
    assert host[: len(address.host)] == address.host
    assert decode_layer_address(encode_layer_address(address)) == address


def test_no_address(run_wire: Run) -> None:
    assert encode_layer_address(NOWHERE) == bytes(LAYER_ADDRESS_SIZE)
    assert run_wire("address", bytes(LAYER_ADDRESS_SIZE - 1)).returncode == 1
    for wrong in (bytes(LAYER_ADDRESS_SIZE - 1), b"\5" + bytes(LAYER_ADDRESS_SIZE)):
        with pytest.raises(RemoteProtocolError):
            decode_layer_address(wrong)


def test_the_readers_of_lists_know_their_fields() -> None:
    assert "directory_chunk_entry" in reader_of_lists(load())
