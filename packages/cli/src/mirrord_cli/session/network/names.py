"""Names: answers layers' questions about them, remembers what the target said, and knows which names belong to an
address. No I/O; ../asker/driver.py asks the agent, ../naming/driver.py this machine.

A question ends in one of these: local (the layer asks this machine's C library), remembered, or asked, where equal
questions share a round trip. Once the agent is gone nothing is remembered any more, and names fail as with a dead server.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from mirrord_cli.session.actions import Action, Answer, AskHere
from mirrord_cli.session.network.rules import NetworkDecisions, plain_host, plain_name
from mirrord_cli.session.questions import Outcome, Questions, Refused
from mirrord_protocol.failure import RemoteProtocolError
from mirrord_protocol.layer_values import LayerOperation, LayerOutcome, LayerReply, LayerRequest, LayerResolve
from mirrord_protocol.network_messages import decode_layer_address, encode_layer_address
from mirrord_protocol.network_values import (
    Address,
    Families,
    NameOutcome,
    Query,
    Records,
    Resolve,
    Resolved,
    Reverse,
)
from mirrord_protocol.values import FailureKind

MOST: Final = 4096
"""Answers that are remembered; as many addresses whose names are known."""
MOST_NAMES: Final = 8
"""Of one address."""
LONGEST: Final = 3600.0
"""Seconds that an answer is remembered at most, whatever its lifetime."""
ROOM: Final = 64 << 10
"""Bytes of an answer to a layer."""
SEARCH: Final = 1
"""The flag of `query`."""
LOCAL: Final = LayerReply(LayerOutcome.LOCAL)
AGAIN: Final = Resolved(outcome=NameOutcome.TRY_AGAIN)
FAILED: Final = Resolved(outcome=NameOutcome.FAILED)
NO_SERVER: Final = "ETIMEDOUT"

Handler = Callable[[int, LayerRequest, bytes], None]
Here = Callable[[tuple[bytes, ...]], None]


@dataclass(frozen=True, slots=True)
class _Known:
    resolved: Resolved
    until: float


class Names:
    """Answers for names.

    Args:
        actions: Where answers, and questions to this machine, are put.
        questions: Where the agent is asked.
        decisions: Whose a name is.
        clock: Returns the time, as the machine was told it.
    """

    def __init__(
        self, actions: list[Action], questions: Questions, decisions: NetworkDecisions, clock: Callable[[], float]
    ) -> None:
        self._actions = actions
        self._questions = questions
        self._decisions = decisions
        self._clock = clock
        self.hostname = b""
        """The target's, once the agent has told it."""
        self._known: OrderedDict[Resolve | Reverse, _Known] = OrderedDict()
        self._names: OrderedDict[bytes, dict[str, None]] = OrderedDict()
        """By address, the name asked for last at the end."""
        self._here: dict[int, tuple[str, list[Here]]] = {}
        """What this machine is being asked."""
        self._here_by_name: dict[str, int] = {}
        self._number = 0

    def handlers(self) -> dict[LayerOperation, Handler]:
        """Return what answers which operation."""
        return {
            LayerOperation.RESOLVE: self._resolve,
            LayerOperation.REVERSE: self._reverse,
            LayerOperation.QUERY: self._query,
            LayerOperation.HOSTNAME: self._tell_hostname,
        }

    # ------------------------------------------------------------------------------------------ layers' questions

    def _resolve(self, channel: int, request: LayerRequest, name: bytes) -> None:
        """`offset` may hold the port of the service that was asked for with the name."""
        if not name or b"\0" in name:
            self._fail(channel, "EINVAL")
        elif not self._decisions.name(_text(name), min(request.offset, 0xFFFF)):
            self._actions.append(Answer(channel, LOCAL))
        else:
            flags = request.flags
            families = Families(flags & (LayerResolve.IPV4 | LayerResolve.IPV6)) or _BOTH
            if not self._decisions.rules.ipv6 and families == _BOTH:
                families = Families.IPV4
            asked = Resolve(
                name,
                families,
                canonical_name=bool(flags & LayerResolve.CANONICAL_NAME),
                configured_only=bool(flags & LayerResolve.CONFIGURED_ONLY),
            )
            self._look_up(asked, lambda found: self._answer(channel, found))

    def _reverse(self, channel: int, _: LayerRequest, payload: bytes) -> None:
        try:
            address = decode_layer_address(payload)
        except RemoteProtocolError:
            self._fail(channel, "EINVAL")
            return
        if not self._decisions.reverse(address, self.known_names(address)):
            self._actions.append(Answer(channel, LOCAL))
        else:
            asked = Reverse(Address(plain_host(address.host), 0, address.scope))
            self._look_up(asked, lambda found: self._answer(channel, found))

    def _query(self, channel: int, request: LayerRequest, message: bytes) -> None:
        name = question_name(message)
        if name is None:
            self._fail(channel, "EINVAL")
        elif not self._decisions.name(name):
            self._actions.append(Answer(channel, LOCAL))
        else:

            def told(outcome: Outcome) -> None:
                if isinstance(outcome, Refused):
                    gone = outcome.failure.kind is FailureKind.GONE
                    self._fail(channel, NO_SERVER if gone else outcome.errno)
                    return
                assert isinstance(outcome.answer, Records)
                found = message[:2] + outcome.answer.message[2:]
                if len(found) > ROOM:
                    self._fail(channel, "EMSGSIZE")
                else:
                    self._actions.append(Answer(channel, LayerReply(LayerOutcome.DONE, payload=len(found)), found))

            # Programs number their questions at random; equal ones are one.
            self._questions.ask(Query(b"\0\0" + message[2:], bool(request.flags & SEARCH)), told)

    def _tell_hostname(self, channel: int, _: LayerRequest, __: bytes) -> None:
        if self._decisions.rules.hostname and self.hostname:
            reply = LayerReply(LayerOutcome.DONE, payload=len(self.hostname))
            self._actions.append(Answer(channel, reply, self.hostname))
        else:
            self._actions.append(Answer(channel, LOCAL))

    def _answer(self, channel: int, found: Resolved) -> None:
        text = b"\0".join((found.name, *found.aliases)) if found.name else b""
        if len(text) > ROOM // 2:
            text = found.name
        room = (ROOM - len(text)) // len(_NOTHING)
        payload = b"".join(map(encode_layer_address, found.addresses[:room])) + text
        count = min(len(found.addresses), room)
        reply = LayerReply(LayerOutcome.DONE, payload=len(payload), offset=count, length=int(found.outcome))
        self._actions.append(Answer(channel, reply, payload))

    def _fail(self, channel: int, errno: str) -> None:
        self._actions.append(Answer(channel, LayerReply(LayerOutcome.FAILED, errno=errno)))

    # ------------------------------------------------------------------------------------------ the target's answers

    def _look_up(self, key: Resolve | Reverse, then: Callable[[Resolved], None]) -> None:
        """Call `then` with the target's answer, remembered or asked for; canonical names keep the case asked in."""
        known = self._known.get(key)
        if known and known.until > self._clock() and not self._questions.lost:
            self._known.move_to_end(key)
            self._note(key, known.resolved)
            then(known.resolved)
            return

        def told(outcome: Outcome) -> None:
            if isinstance(outcome, Refused):
                kind = outcome.failure.kind
                then(FAILED if kind in {FailureKind.UNSUPPORTED, FailureKind.FORBIDDEN} else AGAIN)
                return
            assert isinstance(outcome.answer, Resolved)
            if outcome.first:
                self._remember(key, outcome.answer)
            self._note(key, outcome.answer)
            then(outcome.answer)

        self._questions.ask(key, told)

    def _remember(self, key: Resolve | Reverse, resolved: Resolved) -> None:
        self._known.pop(key, None)
        if resolved.lifetime:
            until = self._clock() + min(resolved.lifetime / 1000, LONGEST)
            self._known[key] = _Known(resolved, until)
            if len(self._known) > MOST:
                self._known.popitem(last=False)

    def _note(self, key: Resolve | Reverse, resolved: Resolved) -> None:
        """Note which names the addresses of an answer have."""
        if resolved.outcome is not NameOutcome.FOUND:
            return
        if isinstance(key, Reverse):
            addresses, given = [key.address.host], [resolved.name]
        else:
            addresses = [address.host for address in resolved.addresses]
            given = [*resolved.aliases, resolved.name, key.name]
        plain = dict.fromkeys(filter(None, (plain_name(_text(one)) for one in given)))
        for host in addresses:
            before = self._names.get(host, {})
            if isinstance(key, Reverse):  # a name that the program used says more
                names = plain | before
            else:
                names = {name: None for name in before if name not in plain} | plain
            self._names[host] = names
            self._names.move_to_end(host)
            while len(names) > MOST_NAMES:
                del names[next(iter(names))]
        while len(self._names) > MOST:
            self._names.popitem(last=False)

    # ------------------------------------------------------------------------------------------ for connections

    def known_names(self, address: Address) -> tuple[str, ...]:
        """Return the names that the target gave for an address, or for which it gave this address."""
        return tuple(self._names.get(plain_host(address.host), ()))

    def find_names(self, address: Address, wanted: Iterable[str], then: Callable[[tuple[str, ...]], None]) -> None:
        """Call `then` with the known names of an address, having found out which of `wanted` lead to it.

        A name is looked up where the program would be answered for it. One that is this machine's is looked up in the
        target too: the program may have asked the target's servers itself.
        """
        known = self.known_names(address)
        host = plain_host(address.host)
        family = Families.IPV4 if len(host) == 4 else Families.IPV6
        found = dict.fromkeys(known)
        missing = [name for name in wanted if name not in found]
        here = [name for name in missing if not self._decisions.name(name)]
        there = missing if self._decisions.rules.names else []
        left = len(here) + len(there)
        if not left:
            then(known)
            return

        def came(name: str, hosts: Iterable[bytes]) -> None:
            nonlocal left
            left -= 1
            if host in {plain_host(each) for each in hosts}:
                found[name] = None
            if not left:
                then(tuple(found))

        for name in here:
            self.look_up_here(name, partial(came, name))
        for name in there:
            asked = Resolve(name.encode(errors="surrogateescape"), family)
            self._look_up(asked, lambda told, name=name: came(name, (each.host for each in told.addresses)))  # type: ignore[misc]

    def find_here(self, address: Address, then: Callable[[Address | None], None]) -> None:
        """Call `then` with where a connection that stays on this machine goes, if not to `address` itself.

        An address that a program has from the target's names may mean nothing here; the name does.
        """
        host = plain_host(address.host)
        names = self._names.get(host)
        if not names:
            then(None)
            return

        def came(hosts: tuple[bytes, ...]) -> None:
            fitting = [each for each in hosts if len(each) == len(host)]
            if not fitting or host in fitting:
                then(None)
            else:
                mapped = len(address.host) != len(host)  # a socket of IPv6 that goes to IPv4
                then(Address(address.host[:12] + fitting[0] if mapped else fitting[0], address.port))

        self.look_up_here(next(reversed(names)), came)

    def look_up_here(self, name: str, then: Here) -> None:
        """Call `then` with a name's addresses on this machine; none if it has none."""
        number = self._here_by_name.get(name)
        if number is None:
            self._number += 1
            number = self._here_by_name[name] = self._number
            self._here[number] = (name, [])
            self._actions.append(AskHere(number, name.encode(errors="surrogateescape")))
        self._here[number][1].append(then)

    def found_here(self, number: int, hosts: tuple[bytes, ...]) -> None:
        """Note this machine's answer to an `AskHere`."""
        name, waiting = self._here.pop(number)
        del self._here_by_name[name]
        for then in waiting:
            then(hosts)


_BOTH: Final = Families.IPV4 | Families.IPV6
_NOTHING: Final = encode_layer_address(Address(b"", 0))


def question_name(message: bytes) -> str | None:
    """Return the name that a DNS message asks about, or None if it is no question (RFC 1035, 4.1)."""
    if len(message) < 17 or message[2] & 0x80 or int.from_bytes(message[4:6]) != 1:
        return None
    labels: list[str] = []
    at = 12
    while size := message[at]:
        if size > 63 or at + size + 5 >= len(message):
            return None
        labels.append(_text(message[at + 1 : at + 1 + size]))
        at += size + 1
    return ".".join(labels)


def _text(name: bytes) -> str:
    return name.decode(errors="surrogateescape")
