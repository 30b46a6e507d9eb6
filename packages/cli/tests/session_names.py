"""A session's names with a scripted agent, for tests as scripts."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from mirrord_cli.session.actions import Action, Answer, Ask, AskHere
from mirrord_cli.session.network.names import Names
from mirrord_cli.session.network.rules import NetworkDecisions
from mirrord_cli.session.questions import Questions
from mirrord_cli.session.settings import NetworkRules
from mirrord_protocol.layer_values import LayerOperation, LayerOutcome, LayerReply, LayerRequest, LayerResolve
from mirrord_protocol.network_values import Address, NameOutcome, NetworkAnswer, Resolved
from mirrord_protocol.values import Failure

BOTH = LayerResolve.IPV4 | LayerResolve.IPV6


def at(host: str, port: int = 0) -> Address:
    return Address(ip_address(host).packed, port)


def found(*hosts: str, name: bytes = b"", lifetime: int = 1000, **rest: Any) -> Resolved:
    addresses = tuple(map(at, hosts))
    return Resolved(outcome=NameOutcome.FOUND, addresses=addresses, name=name, lifetime=lifetime, **rest)


NOTHING = Resolved(outcome=NameOutcome.NO_NAME, lifetime=500)


class NamesScript:
    """Names, and what they wanted so far."""

    def __init__(self, **rules: Any) -> None:
        self.actions: list[Action] = []
        self.now = 0.0
        self.questions = Questions(self.actions, lambda: 0)
        decisions = NetworkDecisions(NetworkRules(**rules))
        self.names = Names(self.actions, self.questions, decisions, lambda: self.now)
        self.answers: dict[int, Answer] = {}
        self.asks: list[Ask] = []
        self.here: list[AskHere] = []
        self.channel = 0

    def take(self) -> None:
        for action in self.actions:
            match action:
                case Answer():
                    assert action.channel not in self.answers
                    assert action.reply.payload == len(action.payload)
                    self.answers[action.channel] = action
                case Ask():
                    self.asks.append(action)
                case AskHere():
                    self.here.append(action)
                case _:
                    raise AssertionError(action)
        self.actions.clear()

    def ask(self, operation: LayerOperation, payload: bytes = b"", flags: int = 0, offset: int = 0) -> int:
        self.channel += 1
        request = LayerRequest(operation, payload=len(payload), flags=flags, offset=offset)
        self.names.handlers()[operation](self.channel, request, payload)
        self.take()
        return self.channel

    def resolve(self, name: bytes, flags: int = BOTH, offset: int = 0) -> int:
        return self.ask(LayerOperation.RESOLVE, name, flags, offset)

    def tell(self, answer: NetworkAnswer, index: int = 0) -> None:
        self.questions.answered(self.asks.pop(index).ask, answer, b"")
        self.take()

    def refuse(self, failure: Failure) -> None:
        self.questions.refused(self.asks.pop(0).ask, failure)
        self.take()

    def tell_here(self, *hosts: str) -> None:
        self.names.found_here(self.here.pop(0).lookup, tuple(at(host).host for host in hosts))
        self.take()

    def reply(self, channel: int) -> LayerReply:
        return self.answers[channel].reply

    def outcome(self, channel: int) -> NameOutcome:
        assert self.reply(channel).outcome is LayerOutcome.DONE
        return NameOutcome(self.reply(channel).length)

    def get(self, name: bytes, *answers: Resolved, flags: int = BOTH) -> NameOutcome:
        """Ask, answer, and return the outcome."""
        channel = self.resolve(name, flags)
        for answer in answers:
            self.tell(answer)
        return self.outcome(channel)
