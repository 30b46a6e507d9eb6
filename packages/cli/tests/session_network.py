"""The session's machine of sockets with scripted drivers, for tests as scripts; and addresses, written as people do."""

from __future__ import annotations

import ipaddress
import socket
from itertools import count
from typing import Any, TypeVar

from mirrord_cli.session.actions import Action, Answer
from mirrord_cli.session.network.actions import NetworkAction
from mirrord_cli.session.network.ports import Ports
from mirrord_cli.session.settings import FileRules, NetworkRules
from mirrord_cli.session.table import Devices, NetworkFlag, Table, plan_table, table_flags
from mirrord_protocol.layer_values import LayerOperation, LayerOutcome, LayerReply, LayerRequest, LayerSocket
from mirrord_protocol.network_messages import decode_layer_address, encode_layer_address
from mirrord_protocol.network_values import Address
from session_machine import Script

A = TypeVar("A")
NON_BLOCKING, DATAGRAM = LayerSocket.NON_BLOCKING, LayerSocket.DATAGRAM
IPV6, IPV6_ONLY, UNIX = LayerSocket.IPV6, LayerSocket.IPV6_ONLY, LayerSocket.UNIX


def at(text: str, port: int | None = None) -> Address:
    """An address: `10.0.0.1:80`, `[::1]:80`."""
    host, _, number = text.rpartition(":") if port is None else (text, "", str(port))
    return Address(ipaddress.ip_address(host.strip("[]")).packed, int(number))


def packed(*addresses: Address) -> bytes:
    return b"".join(map(encode_layer_address, addresses))


def unpacked(payload: bytes) -> tuple[str, ...]:
    return tuple(shown(decode_layer_address(payload, place)) for place in range(0, len(payload), 24))


def shown(address: Address) -> str:
    """An address as the C library writes it; Python's own way of writing IPv4 in IPv6 differs between its versions."""
    if not address.host:
        return ""
    if len(address.host) == 4:
        return f"{socket.inet_ntop(socket.AF_INET, address.host)}:{address.port}"
    return f"[{socket.inet_ntop(socket.AF_INET6, address.host)}]:{address.port}"


def some_table() -> tuple[Table, memoryview]:
    """A table, and its memory."""
    plan = plan_table([], [], slots=64, room=1 << 10)
    memory = memoryview(bytearray(plan.size))
    rules = FileRules(home=b"/h", working_directory=b"/w", temporary=b"/t", executable=b"/bin/x")
    return Table(memory, plan, Devices(1, 2, 3), table_flags(rules)), memory


class Bits:
    """What layers read in a table."""

    def __init__(self, memory: memoryview | bytearray) -> None:
        self._memory = memoryview(memory)
        self._words = self._memory.cast("I")

    def close(self) -> None:
        self._words.release()
        self._memory.release()

    def _ports(self, offset: int) -> set[int]:
        bits = int.from_bytes(self._memory[offset : offset + 8192], "little")
        found = set()
        while bits:
            port = (bits & -bits).bit_length() - 1
            found.add(port)
            bits &= bits - 1
        return found

    @property
    def flags(self) -> NetworkFlag:
        return NetworkFlag(self._words[20])

    @property
    def own(self) -> set[int]:
        return self._ports(self._words[22])

    @property
    def relayed(self) -> set[int]:
        return self._ports(self._words[23])

    @property
    def relays(self) -> int:
        return self._words[21]

    @property
    def relayed_datagrams(self) -> int:
        return self._words[24]


class Part:
    """One of the machines alone: its actions, its answers, and the table's bits."""

    def __init__(self) -> None:
        self.actions: list[Action] = []
        table, memory = some_table()
        self.ports = Ports(table)
        self.bits = Bits(memory)
        self.channels = count(1)

    def take(self, kind: type[A]) -> A:
        """The one action of a kind; forgets it."""
        [found] = [action for action in self.actions if isinstance(action, kind)]
        self.actions.remove(found)
        return found

    def none(self, kind: type[A]) -> bool:
        return not any(isinstance(action, kind) for action in self.actions)

    def answer(self, channel: int) -> tuple[LayerReply, bytes]:
        """A question's answer; forgets it."""
        [found] = [action for action in self.actions if isinstance(action, Answer) and action.channel == channel]
        self.actions.remove(found)
        assert found.reply.payload == len(found.payload)
        return found.reply, found.payload

    def fate(self, channel: int) -> str:
        """A question's answer in a word: `done`, `local`, or the errno."""
        return fate(self.answer(channel)[0])

    def waits(self, channel: int) -> bool:
        return not any(isinstance(action, Answer) and action.channel == channel for action in self.actions)


def fate(reply: LayerReply) -> str:
    return reply.errno or {LayerOutcome.DONE: "done", LayerOutcome.LOCAL: "local"}[reply.outcome]


class NetworkScript(Script):
    """A whole machine, begun with rules for the network."""

    def __init__(self, rules: NetworkRules | None = None, **options: Any) -> None:
        super().__init__(network_rules=rules or NetworkRules(), **options)
        self.bits = Bits(self.memory)
        self.network = self.machine.network
        self.do(self.machine.noted(self.network.begin, self.network_rules, b"there"))

    def say(self, operation: LayerOperation, *addresses: Address, **rest: Any) -> int:
        return self.ask(operation, packed(*addresses), **rest)

    def tell_network(self, event: Any, *args: Any) -> None:
        self.do(self.machine.noted(event, *args))

    def take(self, kind: type[A]) -> A:
        [found] = [action for action in self.rest if isinstance(action, kind)]
        self.rest.remove(found)
        return found

    def wanted(self) -> list[NetworkAction]:
        return [action for action in self.rest if isinstance(action, NetworkAction)]

    def fate(self, channel: int) -> str:
        return fate(self.reply(channel))


__all__ = ["LayerOperation", "LayerRequest", "NetworkScript", "Part", "at", "packed", "some_table", "unpacked"]
