"""Rows about requests to the target that a program here answers."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from tests.bench import peers
from tests.bench.cluster.place import BENCH, HTTP, Place
from tests.bench.cluster.sessions import MODES, Sessions
from tests.kit.serving import serving

CONNECTIONS = (1, 16, 64)


def rows(place: Place, sessions: Sessions, seconds: float) -> None:
    """Print requests per second and latencies of a port of the target: its own, by kubectl, stolen."""
    print(f"\nRequests on a port, keep-alive, {seconds:g} s each; p50 and p99 in ms")
    print(f"{'':36}" + "".join(f"{f'{count} conn.':>11}{'p50':>8}{'p99':>8}" for count in CONNECTIONS))
    address = place.address("target")
    from_pod = place.inside("client", f"{BENCH}/load", address, str(HTTP))
    with place.started(place.inside("target", f"{BENCH}/http", str(HTTP))):
        _measured("the target itself, from a pod", from_pod, seconds)
        with place.forwarded("target", HTTP) as local:
            here = [peers.compiled("load", sessions.runner.folder), "127.0.0.1", str(local[HTTP])]
            _measured("the target, by kubectl port-forward", here, seconds)
        program = [peers.compiled("http", sessions.runner.folder), str(HTTP)]
        for mode in MODES:
            options, variables = sessions.options(mode, "--steal"), sessions.variables(0.0)
            with serving(
                sessions.runner, "pod/target", *program, options=options, env=variables, quiet=False
            ) as server:
                server.line()
                _measured(f"stolen, {mode}, from a pod", from_pod, seconds)


def _measured(title: str, load: Sequence[str], seconds: float) -> None:
    print(f"{title:36}", end="")
    for count in CONNECTIONS:
        done = subprocess.run(
            [*load, str(count), str(seconds)], stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode:
            print(f"  failed: {done.stderr}", end="")
            continue
        rate, median, most = map(float, done.stdout.split())
        print(f"{rate:9,.0f}/s{median / 1000:8.2f}{most / 1000:8.2f}", end="", flush=True)
    print()
