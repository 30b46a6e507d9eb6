"""Rows about port-forwards: ours, as a session has it, beside kubectl's. The same client speaks over both."""

from __future__ import annotations

import os
import statistics
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TypeVar

import trio

from mirrord_cli.cluster.access.driver import load_access
from mirrord_cli.session.forward.driver import PodPort
from tests.bench.cluster.place import ECHO, SINK, SOURCE, Place

T = TypeVar("T")
Opens = Callable[[int], AbstractAsyncContextManager[trio.abc.Stream]]
"""Connects to a port of the client's pod."""
Does = Callable[[trio.abc.Stream], Awaitable[T]]

SIZE = 128_000_000
PIECE = 256 << 10
"""Bytes that are sent at once, as a session does where there is much."""
ECHOES, FEW_ECHOES = 500, 50


def rows(place: Place, delay: float, times: int) -> None:
    """Print the rows of one delay."""
    print(f"\nPort-forward, {delay * 1000:g} ms added; medians of {times}")
    print(f"{'':36}{'mirrord':>10}{'kubectl':>10}{'ratio':>8}")
    with place.forwarded("client", ECHO, SOURCE, SINK, delay=delay) as local:
        both = (_ours(place, delay), _theirs(local))
        for title, port, move in (("down", SOURCE, _down), ("up", SINK, _up)):
            taken = [[_run(opens, port, move) for opens in both] for _ in range(times)]
            speeds = [SIZE / statistics.median(each) / 1e6 for each in zip(*taken, strict=True)]
            _print(f"{title}, {SIZE // 10**6} MB, MB/s", speeds)
        count = FEW_ECHOES if delay else ECHOES
        echoes = [sorted(_run(opens, ECHO, partial(_echoes, count=count))) for opens in both]
        _print("echo of 1 byte, ms", [each[count // 2] * 1000 for each in echoes])
        _print("   1 in 20 over", [each[count * 19 // 20] * 1000 for each in echoes])


def _print(title: str, figures: list[float]) -> None:
    ours, theirs = figures
    shown = "".join(f"{figure:10.2f}" if figure < 100 else f"{figure:10.0f}" for figure in figures)
    print(f"{title:36}{shown}{ours / theirs:8.2f}", flush=True)


def _run(opens: Opens, port: int, do: Does[T]) -> T:
    async def run() -> T:
        async with opens(port) as stream:
            return await do(stream)

    return trio.run(run)


async def _down(stream: trio.abc.Stream) -> float:
    """How long it takes until all has come."""
    began, left = time.perf_counter(), SIZE
    await stream.send_all(struct.pack(">Q", SIZE))
    while left:
        data = await stream.receive_some()
        assert data
        left -= len(data)
    return time.perf_counter() - began


async def _up(stream: trio.abc.Stream) -> float:
    """How long it takes until the other side says that it has all."""
    piece, began, left = bytes(PIECE), time.perf_counter(), SIZE
    await stream.send_all(struct.pack(">Q", SIZE))
    while left:
        part = piece[: min(left, PIECE)]
        await stream.send_all(part)
        left -= len(part)
    assert await stream.receive_some()
    return time.perf_counter() - began


async def _echoes(stream: trio.abc.Stream, count: int) -> list[float]:
    """How long each of so many bytes is on its way there and back."""
    times = []
    for _ in range(count):
        began = time.perf_counter()
        await stream.send_all(b"x")
        assert await stream.receive_some() == b"x"
        times.append(time.perf_counter() - began)
    return times


def _ours(place: Place, delay: float) -> Opens:
    loaded = load_access(
        kubeconfig=str(place.ways[delay]),
        context=None,
        accept_invalid_certificates=None,
        use_proxy=True,
        variables=os.environ,
    )

    @asynccontextmanager
    async def opens(port: int) -> AsyncIterator[trio.abc.Stream]:
        async with PodPort(loaded.access, place.namespace, "client", port) as way, await way.connect() as stream:
            yield stream

    return opens


def _theirs(local: dict[int, int]) -> Opens:
    @asynccontextmanager
    async def opens(port: int) -> AsyncIterator[trio.abc.Stream]:
        async with await trio.open_tcp_stream("127.0.0.1", local[port]) as stream:
            yield stream

    return opens
