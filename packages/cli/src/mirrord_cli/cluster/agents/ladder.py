"""Which agents are tried, in which order: least privilege first, as `agent.mode` allows. No I/O.

Each rung is one way to start an agent, with the rights it asks for; the cluster admits it or says why not, and what it
said is kept. docs/cluster.md has the ladder as a table; spec.py turns a rung into an object of the API.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from mirrord_cli.cluster.targets.found import FoundTarget
from mirrord_cli.config.agent_keys import Agent
from mirrord_cli.errors import MirrordError
from mirrord_cli.session.settings import IncomingMode, NetworkRules

Level = Literal["full", "baseline", "restricted"]
"""What the target's namespace has to admit, in Pod Security's words; `full` is `privileged` there."""
DETAILS = re.compile(r'^(Violates PodSecurity "[^"]*"): .*', re.DOTALL)
"""What is too long for whoever has an agent all the same: each right that is one too many, and each that is missing."""
WITHOUT = "or do without: feature.network.incoming.mode off."


class Rung(Struct, frozen=True, kw_only=True):
    """One way to start an agent."""

    mode: Literal["ephemeral", "job"]
    level: Level
    incoming: bool = False
    """Whether it has the rights for connections that come to the target."""
    privileged: bool = False
    refused: str = ""
    """Why it can't be, where that is known without asking."""
    next_step: str = ""
    warning: str = ""
    """What a person should know where this is the agent."""

    @property
    def alone(self) -> bool:
        """Whether it is one without a target."""
        return self.mode == "job" and self.level == "restricted"

    @property
    def name(self) -> str:
        """What it is, for people."""
        if self.mode == "job":
            if self.alone:
                return "a Job without rights"
            return f"a {'privileged ' if self.privileged else ''}Job on the target's node"
        match self.level:
            case "full" if self.privileged:
                return "a privileged ephemeral container"
            case "full":
                return "an ephemeral container with NET_ADMIN"
            case "baseline":
                return "an ephemeral container without NET_ADMIN"
            case "restricted":
                return "an ephemeral container as the target's user"


class Refusal(Struct, frozen=True):
    """What became of a rung."""

    rung: Rung
    text: str
    """Why it couldn't be, in whole sentences."""
    category: str = "cluster"
    next_step: str = ""


def notices(refusals: Sequence[Refusal]) -> tuple[str, ...]:
    """Return what to tell of rungs that couldn't be, when a later one could: one sentence for each reason."""
    return tuple(
        f"{names[:1].upper()}{names[1:]} couldn't be the agent: {reason}"
        for names, reason in _by_reason([(each.rung, DETAILS.sub(r"\1.", each.text)) for each in refusals])
    )


def _by_reason(refused: Sequence[tuple[Rung, str]]) -> list[tuple[str, str]]:
    """Return each reason once, with the names of all rungs that it is for, as a list in words."""
    found: dict[str, list[str]] = {}
    for rung, reason in refused:
        found.setdefault(reason, []).append(rung.name)
    return [(" and ".join(filter(None, (", ".join(names[:-1]), names[-1]))), reason) for reason, names in found.items()]


def rungs(agent: Agent, found: FoundTarget | None, network: NetworkRules) -> list[Rung]:
    """Return what to try, in this order.

    Args:
        agent: The configuration.
        found: The target; None for an agent that is its own.
        network: What the user wants of the target's network.

    Raises:
        MirrordError: The user asked for connections that come, and this target's can't be had by any agent.
    """
    if found is None:
        return [Rung(mode="job", level="restricted")]
    wanted = network.incoming.mode is not IncomingMode.OFF and network.incoming.ports != ()
    required = wanted and network.incoming.required
    hindrance = _hindrance(agent, found) if wanted else None
    if hindrance and required:
        raise hindrance
    ladder = _ladder(incoming=wanted and not hindrance, privileged=agent.privileged and not hindrance)
    if required:
        ladder = [rung if rung.incoming else _without_incoming(rung) for rung in ladder]
    if hindrance:  # so the agent must not have the rights either, which a privileged one would
        warning = f"{hindrance.text}{' So the agent is not privileged.' if agent.privileged else ''}"
        ladder = [replace(rung, warning=warning) for rung in ladder]
    return [_as_target(rung, found) for rung in ladder if agent.mode in {"auto", rung.mode}]


def _ladder(*, incoming: bool, privileged: bool) -> list[Rung]:
    full = Rung(mode="ephemeral", level="full", incoming=incoming, privileged=privileged)
    baseline = Rung(mode="ephemeral", level="baseline")
    restricted = Rung(mode="ephemeral", level="restricted")
    job = Rung(mode="job", level="full", incoming=incoming, privileged=privileged)
    if incoming or privileged:
        return [full, job, baseline, restricted]
    return [baseline, restricted, job]


def _hindrance(agent: Agent, found: FoundTarget) -> MirrordError | None:
    """Return why no agent may take connections that come to this target, if that is so."""
    text = "Connections that come to the target can't be had: "
    if found.host_network:
        text += "it has its node's network, where a port that is taken would be the node's, for all that runs there."
        return MirrordError("you", text, f"Choose a target with a network of its own, {WITHOUT}")
    if "NET_ADMIN" in agent.disabled_capabilities:
        text += "agent.disabled_capabilities has NET_ADMIN."
        return MirrordError("configuration", text, f"Take it out of there, {WITHOUT}")
    return None


def _without_incoming(rung: Rung) -> Rung:
    text = "It can't have connections that come to the target, which you asked for."
    return replace(rung, refused=text, next_step=f"Have another kind of agent admitted, {WITHOUT}")


def _as_target(rung: Rung, found: FoundTarget) -> Rung:
    """Return a rung as it is for this target."""
    if rung.level != "restricted" or rung.refused:
        return rung
    if found.user_id is None:
        text = "The target's user isn't in its pod's spec but its image's, and this agent has to be the same."
        return replace(rung, refused=text, next_step="Write runAsUser into the securityContext of the target.")
    if found.user_id == 0:
        return replace(rung, refused="The target runs as root, and this agent has to be the same, without rights.")
    return rung


def none_left(refusals: Sequence[Refusal]) -> MirrordError:
    """Return the error for a ladder of which no rung was to be had."""
    reasons = [f"{names}: {reason}" for names, reason in _by_reason([(each.rung, each.text) for each in refusals])]
    text = "\n- ".join(("No agent can be started:", *reasons))
    steps = dict.fromkeys(refusal.next_step for refusal in refusals if refusal.next_step)
    categories = {refusal.category for refusal in refusals}
    category = categories.pop() if len(categories) == 1 else "cluster"
    return MirrordError(category, text, "\n".join(steps))
