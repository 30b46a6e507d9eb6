"""The rights for agents; that the driver asks for no others is seen in test_driver.py."""

from __future__ import annotations

import pytest

from mirrord_cli.cluster.agents.rights import ANY, EPHEMERAL, JOB


@pytest.mark.parametrize("right", [*ANY, *EPHEMERAL, *JOB])
def test_each_says_why(right: object) -> None:
    assert getattr(right, "why", "").endswith(".")


def test_no_agent_needs_to_read_what_is_secret() -> None:
    resources = {right.resource for right in (*ANY, *EPHEMERAL, *JOB)}

    assert not resources & {"secrets", "configmaps", "nodes", "pods/exec", "pods/log"}
