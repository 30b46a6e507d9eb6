"""What a target's variables say of its probes."""

from __future__ import annotations

from typing import Any

import pytest

from mirrord_cli.environment.probes import Probe, probe_warnings, probes_of
from mirrord_cli.session.settings import IncomingMode, IncomingRules, NetworkRules


@pytest.mark.parametrize(
    ("name", "value", "port"),
    [
        (b"HEALTH_PORT", b"8081", 8081),
        (b"APP_LIVENESS_PORT", b"0.0.0.0:8082", 8082),
        (b"readiness_probe", b":8083", 8083),
        (b"HEALTHCHECK_URL", b"http://localhost:8084/healthz", 8084),
        (b"HEALTHCHECK_URL", b"http://localhost/healthz", None),
        (b"HEALTHCHECK_INTERVAL", b"30", None),
        (b"HEALTH_PORT", b"99999", None),
        (b"HEALTH_PORT", b"http://x:99999", None),
        (b"HEALTH_PORT", b"none", None),
        (b"PORT", b"8080", None),
        (b"WEALTH_PORT", b"8080", None),
        (b"UNHEALTHY_PORT", b"8080", None),
    ],
)
def test_variables_that_speak_of_probes(name: bytes, value: bytes, port: int | None) -> None:
    assert [probe.port for probe in probes_of({name: value})] == ([port] if port else [])


def test_each_port_once() -> None:
    assert probes_of({b"B_HEALTH_PORT": b"1", b"A_HEALTH_PORT": b"1"}) == (Probe(1, "A_HEALTH_PORT"),)


def warnings(*, kubernetes: bool = False, **rules: Any) -> list[str]:
    incoming = IncomingRules(**{"mode": IncomingMode.STEAL} | rules)
    return list(probe_warnings(NetworkRules(incoming=incoming), [Probe(8081, "HEALTH_PORT")], kubernetes=kubernetes))


def test_a_stolen_port_that_is_probed() -> None:
    (warning,) = warnings(kubernetes=True)

    assert warning.startswith("Port 8081 of the target looks like one that health probes ask (HEALTH_PORT)")
    assert len(warnings(ports=(8081,))) == 1


def test_ports_that_stay_the_targets() -> None:
    assert warnings(mode=IncomingMode.MIRROR) == []
    assert warnings(mode=IncomingMode.OFF) == []
    assert warnings(ignore_ports=(8081,)) == []
    assert warnings(ports=(8080,)) == []
    assert warnings(ports=()) == []
    assert warnings(ignore_ports=(9000,), port_mapping=((9000, 8081),)) == []


def test_probes_that_are_not_known() -> None:
    (warning,) = warnings(kubernetes=True, ports=(8080,))

    assert "probes aren't known here" in warning
    assert warnings(kubernetes=True, mode=IncomingMode.MIRROR) == []
