"""What was found for a target: one container of one pod, and what has to be known of it to put an agent beside it."""

from __future__ import annotations

from msgspec import Struct

from mirrord_cli.environment.probes import Probe


class FoundTarget(Struct, frozen=True, kw_only=True):
    """A container that runs. What its specs don't say is the image's business, and unknown here."""

    namespace: str
    pod: str
    uid: str
    """The pod's."""
    node: str
    container: str
    container_id: str
    """64 hexadecimal digits, without the runtime's prefix."""
    containers: tuple[str, ...]
    """All of the pod's, but for those that only prepare it."""
    user_id: int | None = None
    """From the container's spec, else the pod's; None is the image's."""
    group_id: int | None = None
    added_capabilities: tuple[str, ...] = ()
    """Without `CAP_`, in capitals; `ALL` for a privileged container."""
    dropped_capabilities: tuple[str, ...] = ()
    run_as_non_root: bool = False
    shares_processes: bool = False
    """Its processes aren't alone in their PID namespace: PID 1 is another container's, or the node's."""
    host_network: bool = False
    host_users: bool | None = None
    """`hostUsers`: False where the pod has a user namespace of its own."""
    probes: tuple[Probe, ...] = ()
    """Ports that the kubelet asks, of any container of the pod: they share their ports."""
    workload: str = ""
    """The target's name, as the user wrote it."""
    warnings: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"container {self.container} of pod {self.pod} in namespace {self.namespace}"
