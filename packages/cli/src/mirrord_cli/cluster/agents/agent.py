"""An agent in a cluster: what it is called, and where the API has it. No I/O."""

from __future__ import annotations

from msgspec import Struct


class ClusterAgent(Struct, frozen=True, kw_only=True):
    """An agent that was created, or is about to be."""

    namespace: str
    pod: str
    """Empty for a Job's that has none yet."""
    container: str
    port: int
    """On the loopback of the pod's network."""
    job: str = ""
    """The name of its Job; empty for an ephemeral container."""
    warning: str = ""
    """What a person should know of it; empty for nothing."""

    @property
    def name(self) -> str:
        """What it is, for people."""
        if self.job:
            return f"Job {self.job} in namespace {self.namespace}"
        return f"ephemeral container {self.container} in pod {self.pod}"

    @property
    def jobs(self) -> str:
        """The path of its namespace's Jobs."""
        return f"/apis/batch/v1/namespaces/{self.namespace}/jobs"

    @property
    def pods(self) -> str:
        """The path of its namespace's pods."""
        return f"/api/v1/namespaces/{self.namespace}/pods"
