"""What a user needs to be allowed in order to start an agent and meet it: all that driver.py and the session ask for.

No I/O; the kinds of agents are ladder.py's.
"""

from __future__ import annotations

from mirrord_cli.cluster.rights import Right

_POD = Right(
    "", "pods", ("get", "watch"), "The agent's pod is watched until it runs, and read when it ended too early."
)
JOB = (
    Right("batch", "jobs", ("create", "delete"), "The agent is a Job, which is removed in the end."),
    _POD,
)
EPHEMERAL = (
    Right("", "pods/ephemeralcontainers", ("patch",), "The agent is a container that is added to the target's pod."),
    _POD,
)
ANY = (
    Right("", "pods/portforward", ("get", "create"),
          "The session speaks to the agent; up to Kubernetes 1.34 `get` is enough, and `create` is for later ones."),
    Right("", "events", ("list",), "Why an agent doesn't start; mirrord works without it, but knows less."),
)  # fmt: skip
