"""What agents are called, and where the API has them."""

from __future__ import annotations

from mirrord_cli.cluster.agents.agent import ClusterAgent


def test_a_job() -> None:
    agent = ClusterAgent(namespace="shop", pod="", container="mirrord-agent", port=61001, job="mirrord-agent-1")

    assert agent.name == "Job mirrord-agent-1 in namespace shop"
    assert (agent.jobs, agent.pods) == ("/apis/batch/v1/namespaces/shop/jobs", "/api/v1/namespaces/shop/pods")


def test_an_ephemeral_container() -> None:
    agent = ClusterAgent(namespace="shop", pod="web-5d8", container="mirrord-agent-1", port=61001)

    assert agent.name == "ephemeral container mirrord-agent-1 in pod web-5d8"
