"""What a connection's end wants done about what it received, as plain values. connection.py and its ends make them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from mirrord_protocol.network_values import Incoming
from mirrord_protocol.values import Answer, Failure, Hello, Request, Welcome


@dataclass(frozen=True, slots=True)
class Greeted:
    """To the agent: a session said hello; check its token, then `accept` or `refuse`."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class Welcomed:
    welcome: Welcome


@dataclass(frozen=True, slots=True)
class Asked:
    """To the agent: carry this out."""

    id: int
    request: Request


@dataclass(frozen=True, slots=True)
class Answered:
    """To the session. A failure may also be the bad end of the id's stream."""

    id: int
    answer: Answer | Failure
    last: bool
    """Nothing more will come of this id."""


class DataReceived(NamedTuple):
    """A tuple, since thousands are made in a second."""

    id: int
    data: bytes | memoryview
    end: bool
    last: bool


@dataclass(frozen=True, slots=True)
class CreditReceived:
    id: int


@dataclass(frozen=True, slots=True)
class Closed:
    """To the agent: forget this id, close its handle, stop its watch, reset its connection."""

    id: int


@dataclass(frozen=True, slots=True)
class Came:
    """To the session: a connection has come to a subscription."""

    id: int
    incoming: Incoming


@dataclass(frozen=True, slots=True)
class Failed:
    """The other side has given up an id that carries data both ways."""

    id: int
    failure: Failure


@dataclass(frozen=True, slots=True)
class ChangedReceived:
    id: int
    last: bool


@dataclass(frozen=True, slots=True)
class Over:
    """Nothing will be received any more; what waits may still be sent."""

    failure: Failure
    refused: bool = False


Action = (
    Greeted | Welcomed | Asked | Answered | DataReceived | CreditReceived | Closed | ChangedReceived | Came | Failed
    | Over
)  # fmt: skip
