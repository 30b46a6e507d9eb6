"""What the cluster has of the machine's kernel: a mount namespace, a control group, a device, a few settings.

Everything is there at most once, belongs to one checkout, and goes again with `clean`.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shlex
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.doing import attempt, run, wait_until
from tests.cluster.layout import LIB_KUBELET, NETWORK, NODE, NODE_DEVICE, PODS, SERVICES, Layout
from tests.cluster.machine import hierarchies, mounts_below, without_ports

MOUNTS = Path("/proc/self/mountinfo")
SETTINGS = Path("/proc/sys")
CHANGED = (
    "net/ipv4/ip_forward",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
"""The kernel's settings that this package and the kubelet change; they are put back by clean."""
FORWARDED = [("FORWARD", way, PODS, "-m", "comment", "--comment", NETWORK, "-j", "ACCEPT") for way in ("-s", "-d")]
"""Rules without which pods don't reach each other where the machine forwards nothing but its own, as Docker has it."""


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
        lines.append(f"mount --bind {shlex.quote(str(ours))} {path}")
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
    """Make the device that has the node's address, and the ways to pods and services."""
    if device_owner() is None:
        run("ip", "link", "add", NODE_DEVICE, "type", "bridge")  # which any kernel has
        run("ip", "link", "set", NODE_DEVICE, "alias", str(layout.top))
    run("ip", "address", "replace", f"{NODE}/32", "dev", NODE_DEVICE)
    run("ip", "link", "set", NODE_DEVICE, "up")
    run("ip", "route", "replace", SERVICES, "dev", NODE_DEVICE, "src", NODE)
    (SETTINGS / "net/ipv4/ip_forward").write_text("1")
    for rule in FORWARDED:
        if attempt("iptables", "--wait", "--check", *rule).returncode:
            run("iptables", "--wait", "--insert", *rule)


def device_owner() -> str | None:
    """Return the folder of the cluster that has the device, none if there is no device."""
    links = json.loads(run("ip", "-json", "link", "show", "type", "bridge") or "[]")
    return next((link.get("ifalias", "") for link in links if link.get("ifname") == NODE_DEVICE), None)


def remember_settings(layout: Layout) -> None:
    """Write down what the settings are that will be changed."""
    found = {name: (SETTINGS / name).read_text() for name in CHANGED if (SETTINGS / name).exists()}
    (layout.run / "settings.json").write_text(json.dumps(found))


def members(layout: Layout) -> Iterator[int]:
    """Yield every process of the cluster: daemons, what they started, and what runs in pods."""
    for procs in daemons_group(layout).parent.rglob("cgroup.procs"):
        with contextlib.suppress(FileNotFoundError):
            yield from map(int, procs.read_text().split())


def end_processes(layout: Layout) -> None:
    """End every process of the cluster at once; returns when there is none."""

    def gone() -> bool:
        found = list(members(layout))
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not found

    wait_until(gone, 20, lambda: f"these processes don't end: {sorted(members(layout))}")


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
        for rule in FORWARDED:
            attempt("iptables", "--wait", "--delete", *rule)
        _remove_ports()
    before = layout.run / "settings.json"
    if before.exists():
        for name, value in json.loads(before.read_text()).items():
            (SETTINGS / name).write_text(value)
    for ours in (layout.run, layout.state):
        if ours.exists():
            shutil.rmtree(ours)


def _remove_group(group: Path) -> None:
    """Remove a control group and those below it, as soon as the kernel is done with the processes that ended."""

    def gone() -> bool:
        for folder, _, _ in os.walk(group, topdown=False):
            try:
                Path(folder).rmdir()
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
        return not group.exists()

    wait_until(gone, 10, lambda: f"{group} stays busy")


def _remove_ports() -> None:
    """Remove what the portmap plugin left in the machine's nftables."""
    rules = run("iptables-save", "-t", "nat").splitlines()
    if removing := without_ports(rules, NETWORK):
        run("iptables-restore", "--noflush", given="\n".join([*removing, ""]))
