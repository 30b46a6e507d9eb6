"""Ends that were welcomed, each with a script as its other side, for tests of ids that carry data both ways."""

from __future__ import annotations

from mirrord_protocol.actions import Answered, Asked, Came, Greeted
from mirrord_protocol.agent_end import AgentEnd
from mirrord_protocol.connection import Connection
from mirrord_protocol.network_messages import encode_layer_address
from mirrord_protocol.network_values import (
    Connect,
    Connected,
    Datagrams,
    Incoming,
    Records,
    Subscribe,
    Subscribed,
    SubscribeMode,
)
from mirrord_protocol.session_end import SessionEnd
from mirrord_protocol.testing import EndScript, Hear, Said
from mirrord_protocol.two_way import BY_AGENT, TwoWay
from mirrord_protocol.values import Answer, Failure, FailureKind, Hello, Request, Welcome
from mirrord_protocol.windows import DATAGRAMS, FIRST, LEAST
from protocol_samples import ADDRESS, ADDRESS6, TARGET, TOKEN

RESET = Failure(FailureKind.SYSTEM, "ECONNRESET")
STEAL = Subscribe(port=80, mode=SubscribeMode.STEAL, credit=LEAST)
MIRROR = Subscribe(port=80, mode=SubscribeMode.MIRROR, credit=LEAST)
CONNECTED = Connected(ADDRESS, ADDRESS6, 100)
INCOMING = Incoming(1, ADDRESS6, ADDRESS, 100)
MUTE = Incoming(1, ADDRESS6, ADDRESS, 0)
FIRST_ID = BY_AGENT | 1
DATAGRAM = encode_layer_address(ADDRESS) + b"content"


def way(end: Connection, id_: int) -> TwoWay:
    found = end.two_ways.find(id_)
    assert found
    return found


class Session:
    """A welcomed session whose agent is the script."""

    def __init__(self, requests: int = 100) -> None:
        self.end = SessionEnd(0.0)
        self.script = EndScript(self.end)
        self.end.say_hello(Hello(TOKEN))
        self.script.handle(Hear(Welcome(target=TARGET, requests=requests)))

    def said(self) -> list[object]:
        return list(self.script._said())

    def ask(self, request: Request, answer: Answer) -> int:
        id_ = self.end.ask(request)
        self.said()
        assert self.script.handle(Hear(answer, id_)) == [
            Answered(id_, answer, last=isinstance(answer, Records | Failure))
        ]
        return id_

    def connect(self) -> TwoWay:
        return way(self.end, self.ask(Connect(ADDRESS), CONNECTED))

    def subscribe(self, request: Subscribe = STEAL) -> TwoWay:
        self.ask(request, Subscribed())
        incoming = MUTE if request is MIRROR else INCOMING
        assert self.script.handle(Hear(incoming, FIRST_ID)) == [Came(FIRST_ID, incoming)]
        return way(self.end, FIRST_ID)


class Agent:
    """An agent that welcomed its session, which is the script."""

    def __init__(self) -> None:
        self.end = AgentEnd(0.0)
        self.script = EndScript(self.end)
        assert self.script.handle(Hear(Hello(TOKEN))) == [Greeted(Hello(TOKEN))]
        self.end.accept(Welcome(target=TARGET))
        self.said()

    def said(self) -> list[object]:
        return list(self.script._said())

    def asked(self, id_: int, request: Request) -> None:
        assert self.script.handle(Hear(request, id_)) == [Asked(id_, request)]

    def connect(self, request: Connect | Datagrams = Connect(ADDRESS, 100)) -> TwoWay:  # noqa: B008 - never changed
        self.asked(1, request)
        assert self.end.connect(1, ADDRESS, ADDRESS6)
        window = DATAGRAMS if isinstance(request, Datagrams) else 0
        size = max(window, FIRST)
        assert self.said() == [Said(Connected(ADDRESS, ADDRESS6, size), 1)]
        return way(self.end, 1)

    def subscribe(self, request: Subscribe = STEAL) -> TwoWay:
        self.asked(1, request)
        self.end.answer(1, Subscribed())
        id_ = self.end.incoming(1, ADDRESS6, ADDRESS)
        assert id_ == FIRST_ID
        credit = 0 if request is MIRROR else FIRST
        assert self.said() == [Said(Subscribed(), 1), Said(Incoming(1, ADDRESS6, ADDRESS, credit), id_)]
        return way(self.end, id_)
