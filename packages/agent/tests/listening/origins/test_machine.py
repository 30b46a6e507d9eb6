"""The kernel's table of connections, as it is written, and who may come."""

from __future__ import annotations

import sys

import pytest

from mirrord_agent.listening.origins.machine import GONE, MAPPED, end_of, user_in, welcome

TABLE = b"""\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:EE49 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11111 1 0 100 0 0 10 0
   1: 0100007F:EE49 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 22222 1 0 20 4 30 10 -1
   2: 0100007F:C001 0100007F:EE49 01 00000000:00000000 00:00000000 00000000  1234        0 33333 1 0 20 4 30 10 -1
   3: 0100007F:C002 0100007F:EE49 05 00000000:00000000 00:00000000 00000000     0        0 0 1 0 20 4 30 10 -1
""".splitlines()
LOOPBACK = bytes([127, 0, 0, 1])


pytestmark = pytest.mark.skipif(sys.byteorder == "big", reason="the words are written in this machine's byte order")


def test_ends() -> None:
    assert end_of(LOOPBACK, 61001) == b"0100007F:EE49"
    assert end_of(bytes(15) + b"\1", 80) == b"00000000000000000000000001000000:0050"


def test_users() -> None:
    ours, its, orphan, mapped = (
        b"0100007F:EE49",
        b"0100007F:C001",
        b"0100007F:C002",
        b"0000000000000000FFFF00000100007F",
    )

    assert user_in(TABLE, [(its, ours)]) == 1234
    assert user_in(TABLE, [(b"x", b"y"), (its, ours)]) == 1234
    assert user_in(TABLE, [(orphan, ours)]) == GONE, "it isn't root's, as it seems"
    assert user_in(TABLE, [(its, its)]) is None
    assert user_in([b"", b"short row"], [(its, ours)]) is None
    assert user_in([row for row in TABLE if b"1234" not in row], [(its, ours)]) == GONE, "there is but our own"
    assert end_of(MAPPED + LOOPBACK, 0xC001) == mapped + b":C001"


@pytest.mark.parametrize(
    ("ours", "uid_map", "expected"),
    [
        (0, b"         0          0 4294967295\n", {0}),
        (1234, b"         0          0 4294967295\n", {0, 1234}),
        (0, b"         0     200000      65536\n", {0, 65534}),
    ],
)
def test_who_may_come(ours: int, uid_map: bytes, expected: set[int]) -> None:
    assert welcome(ours, uid_map, 65534) == expected
