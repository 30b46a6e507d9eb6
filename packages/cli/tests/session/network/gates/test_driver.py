"""Sockets that don't wait, before a gate: let in or refused, never anything between."""

from __future__ import annotations

import errno
import os
import resource
import select
import signal
import socket
import sys
from contextlib import suppress
from typing import Any

import pytest
import trio

from mirrord_cli.session.network.gates import driver as module
from mirrord_cli.session.network.gates.driver import Gate, Gates, Spare
from mirrord_cli.session.network.kernel.driver import Kernel
from session_agent import descriptors, inode, own

ERROR = select.EPOLLERR | select.EPOLLHUP


class Knocking:
    """A program's socket before a gate, and what an edge-triggered epoll tells of it."""

    def __init__(self, gate: Gate, ipv6: bool, hops: int = 64) -> None:
        self.end = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        if ipv6:
            self.end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, hops)
        else:
            self.end.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)
        assert self.end.connect_ex((gate._name[0], gate._name[1])) == errno.EINPROGRESS
        self.epoll = select.epoll()
        self.epoll.register(self.end, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)

    def told(self, seconds: float = 5) -> int:
        events = self.epoll.poll(seconds)
        return events[0][1] if events else 0

    def close(self) -> None:
        self.epoll.close()
        self.end.close()


@pytest.mark.parametrize("ipv6", [False, True])
def test_in_and_out(ipv6: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "USES", 7)
    before = descriptors()

    async def run() -> None:
        kernel = Kernel()
        gates = Gates(kernel)
        for number in range(50):
            gate = gates.enter(ipv6=ipv6)
            knocking = Knocking(gate, ipv6)
            name = own(knocking.end)
            assert gates.waits(gate, name, inode(knocking.end))
            assert not gates.waits(gate, name, inode(knocking.end) + 1)
            assert knocking.told(0) == 0
            if number % 2:
                end = await gate.let_in(name)
                assert end is not None
                assert knocking.told() == select.EPOLLOUT
                assert knocking.end.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
                end.send(b"in")
                assert knocking.told() & select.EPOLLIN
                assert knocking.end.recv(5) == b"in"
                end.close()
            else:
                gate.refuse(name)
                assert knocking.told() & ERROR
                assert knocking.end.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET
            assert not gates.waits(gate, name, inode(knocking.end))
            gates.leave(gate)
            knocking.close()
        gates.close()
        kernel.close()

    trio.run(run)
    assert descriptors() == before


@pytest.mark.parametrize("ipv6", [False, True])
def test_one_that_can_be_heard(ipv6: bool) -> None:
    """Some routing programs send with the largest number of hops, and some machines all do."""

    async def run() -> None:
        kernel = Kernel()
        gates = Gates(kernel)
        gate = gates.enter(ipv6=ipv6)
        knocking = Knocking(gate, ipv6, hops=255)
        assert gates.waits(gate, own(knocking.end), inode(knocking.end))
        assert knocking.told(0.1) == 0
        end = await gate.let_in(own(knocking.end))
        assert end is not None
        end.send(b"in")
        assert knocking.told() & select.EPOLLIN
        assert knocking.end.recv(5) == b"in"
        end.close()
        knocking.close()
        gates.close()
        kernel.close()

    trio.run(run)


def test_one_is_refused_without_descriptors() -> None:
    before = descriptors()

    async def run() -> None:
        kernel = Kernel()
        gates = Gates(kernel)
        gate = gates.enter(ipv6=False)
        knocking = [Knocking(gate, ipv6=False) for _ in range(2)]
        names = [own(each.end) for each in knocking]
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        taken: list[int] = []
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(int(name.partition(":")[0]) for name in before) + 64, hard))
        try:
            with suppress(OSError):
                while True:
                    taken.append(os.dup(0))
            assert await gate.let_in(names[0]) is None
            for name in names:
                gate.refuse(name)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for each in taken:
                os.close(each)
        for one in knocking:
            assert one.told() & ERROR
            one.close()
        gates.close()
        kernel.close()

    trio.run(run)
    assert descriptors() == before


def test_one_that_is_gone() -> None:
    async def run() -> None:
        kernel = Kernel()
        gates = Gates(kernel)
        gate = gates.enter(ipv6=False)
        knocking = Knocking(gate, ipv6=False)
        name = own(knocking.end)
        knocking.close()

        assert not gates.waits(gate, name, 1)
        assert await gate.let_in(name) is None
        gate.refuse(name)
        gates.close()
        kernel.close()

    trio.run(run)


def kill_when_connected(_: object, event: str, function: Any) -> None:
    """For `sys.setprofile`."""
    if event == "c_return" and function.__name__ == "connect_ex":
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("ipv6", [False, True])
def test_one_whose_session_is_killed_when_it_is_connected(ipv6: bool) -> None:
    """The session had no time to do anything more: the connection is reset all the same, not ended."""
    spare = Spare()
    gate = Gate(socket.AF_INET6 if ipv6 else socket.AF_INET, spare)
    knocking = Knocking(gate, ipv6)
    name = own(knocking.end)
    child = os.fork()
    if not child:
        try:
            sys.setprofile(kill_when_connected)
            trio.run(gate.let_in, name)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    with pytest.raises(ConnectionResetError):
        knocking.end.recv(1)
    knocking.close()
    gate.close()
    spare.close()


def test_many_at_once_before_one_gate() -> None:
    async def run() -> None:
        kernel = Kernel()
        gates = Gates(kernel)
        entered = [gates.enter(ipv6=False) for _ in range(40)]
        assert len(set(map(id, entered))) == 1
        gate = entered[0]
        knocking = [Knocking(gate, ipv6=False) for _ in range(40)]
        for each in knocking[::2]:
            gate.refuse(own(each.end))
        ends = [await gate.let_in(own(each.end)) for each in knocking[1::2]]
        assert all(each.told() & ERROR for each in knocking[::2])
        assert [each.told() for each in knocking[1::2]] == [select.EPOLLOUT] * 20
        for number, end in enumerate(ends):
            assert end is not None
            end.send(b"%d" % number)
        assert [each.end.recv(5) for each in knocking[1::2]] == [b"%d" % number for number in range(20)]
        for end in ends:
            assert end is not None
            end.close()
        for each in knocking:
            each.close()
        gates.close()
        kernel.close()

    trio.run(run)


def test_no_descriptors_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left of a gate that could be made by half."""
    before = descriptors()
    monkeypatch.setattr(module, "FARTHEST", 256)
    spare = Spare()
    with pytest.raises(OSError, match="Invalid argument"):
        Gate(socket.AF_INET, spare)
    spare.close()
    assert descriptors() == before
