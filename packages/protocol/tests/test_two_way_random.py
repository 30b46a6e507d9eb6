"""Two ends joined, and anything that either side may do in any order: bytes arrive exactly, and both agree on the end."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from mirrord_protocol.actions import Action, Came, Closed, DataReceived, Failed
from mirrord_protocol.agent_end import AgentEnd
from mirrord_protocol.network_values import Connect, Subscribe, Subscribed, SubscribeMode
from mirrord_protocol.session_end import SessionEnd
from mirrord_protocol.testing import Wire
from mirrord_protocol.two_way import TwoWay
from mirrord_protocol.values import Hello, Welcome
from protocol_samples import ADDRESS, FAILURE, TARGET, TOKEN

CONNECTIONS = 3


@dataclass
class Half:
    """One side of one connection, as it should be."""

    end: SessionEnd | AgentEnd
    way: TwoWay
    sent: bytearray = field(default_factory=bytearray)
    received: bytearray = field(default_factory=bytearray)
    untaken: int = 0
    came_end: bool = False
    failed: bool = False

    def send(self, size: int) -> None:
        data = bytes((len(self.sent) + n) % 251 for n in range(min(size, self.end.two_ways.room(self.way))))
        if data:
            self.end.two_ways.send(self.way, data)
            self.sent += data

    def finish(self) -> None:
        if not self.way.sent_end:
            self.end.two_ways.send(self.way, b"", end=True)

    def take(self, size: int) -> None:
        size = min(size, self.untaken)
        self.untaken -= size
        self.end.two_ways.took(self.way, size, self.end.now)

    def hear(self, action: Action) -> None:
        match action:
            case DataReceived(_, data, end, _):
                self.received += data
                self.untaken += len(data)
                self.came_end |= end
            case Failed() | Closed():
                self.failed = True


def joined(piece: int | None) -> tuple[Wire, list[tuple[Half, Half]]]:
    """Both ends with connections of each kind: asked for, stolen, mirrored."""
    session, agent = SessionEnd(0.0), AgentEnd(0.0)
    wire = Wire(session, agent, piece)
    session.say_hello(Hello(TOKEN))
    wire.run()
    agent.accept(Welcome(target=TARGET))
    wire.run()
    ids = [session.ask(Connect(ADDRESS))]
    wire.run()
    assert agent.connect(ids[0], ADDRESS, ADDRESS)
    for mode in SubscribeMode:
        subscription = session.ask(Subscribe(port=80, mode=mode))
        wire.run()
        agent.answer(subscription, Subscribed())
        came = agent.incoming(subscription, ADDRESS, ADDRESS)
        assert came
        ids.append(came)
    wire.run()
    assert sum(isinstance(action, Came) for action in wire.from_agent) == 2
    halves = []
    for id_ in ids:
        here, there = session.two_ways.find(id_), agent.two_ways.find(id_)
        assert here
        assert there
        halves.append((Half(session, here), Half(agent, there)))
    return wire, halves


steps = st.tuples(
    st.sampled_from(["send", "send", "send", "take", "take", "run", "run", "end", "reset", "close"]),
    st.integers(0, CONNECTIONS - 1),
    st.integers(0, 1),
    st.sampled_from([1, 100, 4096, 70_000, 300_000]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, max_size=40), st.sampled_from([None, 999]))
def test_anything_in_any_order(script: list[tuple[str, int, int, int]], piece: int | None) -> None:
    wire, halves = joined(piece)
    by_way = {(half.end.role, half.way.id): half for pair in halves for half in pair}

    def run() -> None:
        del wire.from_session[:], wire.from_agent[:]
        wire.now += 0.001
        wire.run()
        for role, actions in ((wire.agent.role, wire.from_session), (wire.session.role, wire.from_agent)):
            for action in actions:
                if half := by_way.get((role, getattr(action, "id", 0))):
                    half.hear(action)

    for what, number, side, size in script:
        half = halves[number][side]
        if what == "run":
            run()
        elif what == "send":
            half.send(size)
        elif what == "take":
            half.take(size)
        elif what == "end":
            half.finish()
        elif what == "reset":
            half.end.two_ways.fail(half.way, FAILURE)
        elif isinstance(half.end, SessionEnd):
            half.end.close(half.way.id)
    for _ in range(3):
        run()
        for pair in halves:
            for half in pair:
                half.take(half.untaken)
    run()

    for here, there in halves:
        for sender, receiver in ((here, there), (there, here)):
            assert sender.sent[: len(receiver.received)] == receiver.received
            if not sender.way.over and not receiver.way.over:
                assert len(sender.sent) == len(receiver.received)
            if receiver.came_end:
                assert sender.sent == receiver.received
        assert here.way.over == there.way.over
    open_ = sum(not here.way.over for here, _ in halves)
    assert len(wire.session.two_ways) == len(wire.agent.two_ways) == open_
    if not open_:
        assert wire.session.two_ways.windows.total == wire.agent.two_ways.windows.total == 0
