"""An API server that creates agents, and a start at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent_starts import EVENTS, JOBS, PARTS, ScriptedSession, Start, when_it_runs
from cluster_pods import pod
from scripted_server import ApiServer, api_server, open_to


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with api_server() as served:
        served.answer("POST", JOBS, lambda asked: (201, asked.body or {}))
        served.answer("PATCH", PARTS, (200, pod(name="web-5d8", ephemeral=True)))
        served.answer("GET", EVENTS, (200, {"kind": "EventList", "metadata": {}, "items": []}))
        yield served


@pytest.fixture
def start(server: ApiServer) -> Iterator[Start]:
    session = ScriptedSession(when_it_runs)
    yield Start(open_to(server), server, session)
    session.close()
