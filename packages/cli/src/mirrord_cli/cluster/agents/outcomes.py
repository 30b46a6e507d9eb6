"""What is raised for an agent that comes to nothing. No I/O."""

from __future__ import annotations

from mirrord_cli.cluster.agents.agent import ClusterAgent
from mirrord_cli.cluster.agents.ladder import Refusal, Rung
from mirrord_cli.cluster.agents.reasons import explain, is_replaced
from mirrord_cli.cluster.agents.watching import Failed
from mirrord_cli.cluster.api.machine import Refused
from mirrord_cli.errors import MirrordError

REFUSALS = {400, 403, 404, 405, 422}
"""What HTTP says of objects that a cluster doesn't admit; 400 is what a webhook says that names no code."""


class RungRefused(Exception):
    """The cluster doesn't admit this kind of agent, or it came to nothing; another kind may do."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal


def for_refused(refused: Refused, rung: Rung, agent: ClusterAgent) -> RungRefused | MirrordError:
    """Return what is to be raised where the API server refuses an agent, or to tell of it."""
    if is_replaced(refused.message, agent.pod):
        return MirrordError(
            "cluster", f"The target's pod {agent.pod} was removed while the agent started.", "Try again."
        )
    why = explain(refused.message, status=refused.status, namespace=agent.namespace, alone=rung.alone)
    if refused.status in REFUSALS:
        return RungRefused(Refusal(rung, why.text, why.category, why.next_step))
    return MirrordError(why.category, f"The cluster doesn't create the agent: {why.text}", why.next_step)


def for_failed(failed: Failed, rung: Rung) -> RungRefused | MirrordError:
    """Return what is to be raised for an agent that doesn't run, or does no more."""
    if failed.refused:
        return RungRefused(Refusal(rung, failed.text, failed.category, failed.next_step))
    return MirrordError(failed.category, failed.text, failed.next_step)
