"""Takes the cluster up: makes what is missing, starts what doesn't run, waits until pods can be scheduled."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Sequence
from functools import partial

from tests.cluster import host, processes, runtime
from tests.cluster.api import Api, resolves
from tests.cluster.building import build_programs, install_packages, make_certificates
from tests.cluster.configurations import files
from tests.cluster.daemons import Daemon, first_daemons, other_daemons
from tests.cluster.doing import Failed, run, say, wait_until
from tests.cluster.layout import NODE_NAME, PAUSE, Layout
from tests.cluster.machine import Act
from tests.cluster.objects import node_ready, objects
from tests.cluster.oci import program_archive
from tools.image.machine import full_name

PATIENCE = 60
"""Seconds for one thing to come, on a busy machine too."""
ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
LONGEST = 107
"""Bytes of a socket's path: unix(7)."""


def up(layout: Layout) -> None:
    """Have the cluster run. What runs already is left alone."""
    install_packages()
    _look(layout)
    build_programs(layout)
    make_certificates(layout)
    is_new = _make_room(layout)
    for name, text in files(layout).items():
        path = layout.etc / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:  # kube-proxy ends when its file is written
            path.write_text(text)

    api = Api(layout)
    first, others = first_daemons(layout), other_daemons(layout)
    _start(layout, first)
    _have_containerd(layout, first, is_new=is_new)
    _wait(layout, api, first)
    _start(layout, others)
    for where, content in objects().items():
        _await(layout, first, partial(api.apply, where, content), f"{where} is made", "kube-apiserver")
    _wait(layout, api, others)
    conditions: tuple[tuple[str, str, Callable[[], bool]], ...] = (
        ("kubelet", "the node is ready", lambda: node_ready(api.get(f"/api/v1/nodes/{NODE_NAME}"))),
        ("kube-controller-manager", "there is a service account", lambda: api.get(ACCOUNT) is not None),
        ("coredns", "names are resolved", resolves),
    )
    for daemon, words, condition in conditions:
        _await(layout, (*first, *others), condition, words, daemon)
        say(words)


def _look(layout: Layout) -> None:
    """Refuse what can't be, before anything is made."""
    if len(str(layout.socket)) > LONGEST:
        raise Failed(f"{layout.top} is too long a path for the sockets in it; have the checkout nearer to /")
    if run("stat", "--file-system", "--format=%T", str(layout.top)).strip() == "overlayfs":
        raise Failed(
            f"{layout.top} is on an overlay, on which containerd can't have others; have the checkout on a disk"
        )
    owner = host.device_owner()
    if owner not in {None, str(layout.top)}:
        raise Failed(f"the cluster of {owner} runs on this machine; take it down there, or if that is gone, reboot")


def _make_room(layout: Layout) -> bool:
    """Have what the daemons run in; whether the cluster begins anew.

    That it does after it was taken down, after the machine was, and when it has lost its mount namespace.
    """
    boot = layout.run / "boot"
    intact = boot.exists() and boot.read_text() == processes.boot() and host.has_namespace(layout)
    if not intact:
        if layout.run.exists():
            say("clearing away what an earlier cluster left")
        host.end_processes(layout)
        host.clean(layout)
        shutil.rmtree(layout.log, ignore_errors=True)
    for folder in (layout.log, layout.records, layout.etc, layout.containerd, layout.images):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not intact:
        host.remember_settings(layout)
    host.make_device(layout)
    host.make_groups(layout)
    if not intact:
        host.make_namespace(layout)
        boot.write_text(processes.boot())
    return not intact


def _start(layout: Layout, wanted: Sequence[Daemon]) -> None:
    acts = {daemon.name: processes.ensure(layout, daemon) for daemon in wanted}
    for act, words in ((Act.START, "started"), (Act.REPLACE, "started again, as it is to be different")):
        if names := [name for name, done in acts.items() if done is act]:
            say(f"{words}: {', '.join(names)}")


def _wait(layout: Layout, api: Api, wanted: Sequence[Daemon]) -> None:
    for daemon in wanted:
        if daemon.health:
            _await(layout, wanted, partial(api.healthy, daemon.health), f"{daemon.name} works", daemon.name)
            say(f"{daemon.name} works")


def _await(layout: Layout, running: Sequence[Daemon], condition: Callable[[], bool], words: str, suspect: str) -> None:
    """Wait for a condition; name the daemon that died meanwhile, or the one that keeps us waiting."""

    def come() -> bool:
        for daemon in running:
            if not processes.is_running(layout, daemon.name):
                raise Failed(processes.last_words(layout, daemon.name))
        return condition()

    wait_until(come, PATIENCE, lambda: f"{processes.last_words(layout, suspect)}\nnot within {PATIENCE} s: {words}")


def _have_containerd(layout: Layout, running: Sequence[Daemon], *, is_new: bool) -> None:
    """Have containerd answer, without containers of an earlier cluster, and with the image of pods' first process."""
    answers = partial(_await, layout, running, partial(runtime.answers, layout), "containerd answers", "containerd")
    answers()
    if is_new and runtime.forget_containers(layout):
        # It has read their list, and would go on telling of them.
        processes.kill(layout, "containerd")
        _start(layout, running)
        answers()
    if not runtime.has_image(PAUSE, layout):
        archive = layout.images / "pause.tar"
        machine = platform.machine()
        program = (layout.bin / "pause").read_bytes()
        archive.write_bytes(program_archive(full_name(PAUSE), program, ARCHITECTURES.get(machine, machine), "pause"))
        runtime.load_image(archive, layout)
