"""What the cluster has of the machine's kernel: a mount namespace, a control group, a device, a few settings.

Everything is there at most once, belongs to one checkout, and goes again with `clean`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.doing import Failed, attempt, run, wait_until
from tests.cluster.layout import LIB_KUBELET, NETWORK, NODE, NODE_DEVICE, SERVICES, Layout
from tests.cluster.machine import hierarchies, mounts_below, without_ports

MOUNTS = Path("/proc/self/mountinfo")
SETTINGS = {
    "net/ipv4/ip_forward": "1",
    # These the kubelet sets as it likes them.
    "vm/overcommit_memory": None,
    "vm/panic_on_oom": None,
    "kernel/panic": None,
    "kernel/panic_on_oops": None,
    "kernel/keys/root_maxkeys": None,
    "kernel/keys/root_maxbytes": None,
}
"""The kernel's settings that change, below /proc/sys; they are put back by clean."""


def has_namespace(layout: Layout) -> bool:
    """Whether the daemons' mount namespace is kept."""
    return str(layout.namespace) in mounts_below(MOUNTS.read_text(), str(layout.namespace))


def make_namespace(layout: Layout) -> None:
    """Make the daemons' mount namespace, in which folders of ours lie over those with fixed paths.

    It is kept by a mount of its file, which must lie on a mount that isn't shared: unshare(1). What the machine mounts
    later comes in, nothing gets out, and all mounts inside end with it.
    """
    layout.pinned.mkdir(parents=True, exist_ok=True)
    run("mount", "--bind", str(layout.pinned), str(layout.pinned))
    run("mount", "--make-private", str(layout.pinned))
    layout.namespace.touch()
    lines = []
    for path, ours in layout.binds().items():
        Path(path).mkdir(parents=True, exist_ok=True)
        ours.mkdir(parents=True, exist_ok=True)
        lines.append(f"mount --bind '{ours}' {path}")
    # A pod may have its mounts seen by others (mountPropagation: Bidirectional) below the kubelet's folder.
    script = "\n".join(["set -e", *lines, f"mount --make-rshared {LIB_KUBELET}"])
    run("unshare", f"--mount={layout.namespace}", "--propagation=slave", "sh", "-c", script)


def daemons_group(layout: Layout) -> Path:
    """Return the control group of the daemons, by which they, and all that came of them, are found again."""
    return Path(hierarchies(MOUNTS.read_text())[1]) / layout.group / "daemons"


def make_groups(layout: Layout) -> None:
    """Make the control groups of the daemons and, in all hierarchies, of the kubelet."""
    for folder in hierarchies(MOUNTS.read_text())[0]:
        (Path(folder) / layout.group).mkdir(exist_ok=True)
        for group in (Path(folder), Path(folder) / layout.group):
            control = group / "cgroup.subtree_control"
            if control.exists():
                control.write_text(" ".join(f"+{name}" for name in (group / "cgroup.controllers").read_text().split()))
    daemons_group(layout).mkdir(exist_ok=True)


def make_device(layout: Layout) -> None:
    """Make the device that has the node's address, and the way to services; Failed if another cluster has it."""
    owner = device_owner()
    if owner is None:
        run("ip", "link", "add", NODE_DEVICE, "type", "bridge")  # which any kernel has
        run("ip", "link", "set", NODE_DEVICE, "alias", str(layout.top))
    elif owner != str(layout.top):
        raise Failed(f"another checkout's cluster runs on this machine: {owner}; take it down there first")
    run("ip", "address", "replace", f"{NODE}/32", "dev", NODE_DEVICE)
    run("ip", "link", "set", NODE_DEVICE, "up")
    run("ip", "route", "replace", SERVICES, "dev", NODE_DEVICE, "src", NODE)


def device_owner() -> str | None:
    """Return the folder of the cluster that has the device, none if there is no device."""
    links = json.loads(run("ip", "-json", "link", "show", "type", "bridge") or "[]")
    return next((link.get("ifalias", "") for link in links if link.get("ifname") == NODE_DEVICE), None)


def change_settings(layout: Layout) -> None:
    """Change the kernel's settings, after writing down what they were."""
    before = layout.run / "settings.json"
    if not before.exists():
        found = {name: (Path("/proc/sys") / name).read_text().strip() for name in SETTINGS}
        before.write_text(json.dumps(found))
    for name, value in SETTINGS.items():
        if value is not None:
            (Path("/proc/sys") / name).write_text(value)


def processes(layout: Layout) -> Iterator[int]:
    """Yield every process of the cluster: daemons, what they started, and what runs in pods."""
    for procs in daemons_group(layout).parent.rglob("cgroup.procs"):
        with contextlib.suppress(FileNotFoundError):
            yield from map(int, procs.read_text().split())


def end_processes(layout: Layout) -> None:
    """End every process of the cluster at once; returns when there is none."""

    def gone() -> bool:
        found = list(processes(layout))
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not found

    wait_until(gone, 20, lambda: f"these processes don't end: {sorted(processes(layout))}")


def clean(layout: Layout) -> None:
    """Undo all of this, whatever is left of it; no process of the cluster may run. What it remembered is forgotten."""
    for point in list(mounts_below(MOUNTS.read_text(), str(layout.run))):
        run("umount", "--lazy", point)
    for folder in hierarchies(MOUNTS.read_text())[0]:
        _remove_group(Path(folder) / layout.group)
    if device_owner() == str(layout.top):
        run("ip", "link", "delete", NODE_DEVICE)
        for family in ("ip", "ip6"):
            attempt("nft", "delete", "table", family, "kube-proxy")
        _remove_ports()
    before = layout.run / "settings.json"
    if before.exists():
        for name, value in json.loads(before.read_text()).items():
            (Path("/proc/sys") / name).write_text(value)
    for ours in (layout.run, layout.state):
        if ours.exists():
            shutil.rmtree(ours)


def _remove_group(group: Path) -> None:
    """Remove a control group and those below it."""
    if group.exists():
        for folder, _, _ in os.walk(group, topdown=False):
            Path(folder).rmdir()


def _remove_ports() -> None:
    """Remove what the portmap plugin left in the machine's nftables."""
    rules = run("iptables-save", "-t", "nat").splitlines()
    if removing := without_ports(rules, NETWORK):
        run("iptables-restore", "--noflush", given="\n".join([*removing, ""]))
