"""Which container is the target, its state, and what its spec says."""

from __future__ import annotations

from typing import Any

import pytest

from cluster_objects import ID, pod, status
from mirrord_cli.cluster.targets import containers
from mirrord_cli.cluster.targets.containers import DEFAULT, NoContainer, choose_container
from mirrord_cli.environment.probes import Probe


def chosen(found: Any, wanted: str | None = None) -> str:
    name: str = choose_container(found, wanted)[0]["name"]
    return name


# ---------------------------------------------------------------------------------------------- which


def test_the_one_that_is_named() -> None:
    two = pod(containers={"web": "ready", "log": "ready"}, annotations={DEFAULT: "web"})

    assert choose_container(two, "log") == ({"name": "log"}, ())


def test_the_one_that_the_annotation_names() -> None:
    assert choose_container(pod(containers={"a": "ready", "b": "ready"}, annotations={DEFAULT: "b"}), None) == (
        {"name": "b"},
        (),
    )
    # A sidecar too: whoever wrote it there means it.
    assert chosen(pod(containers={"a": "ready", "istio-proxy": "ready"}, annotations={DEFAULT: "istio-proxy"})) == (
        "istio-proxy"
    )


def test_an_annotation_that_names_nothing() -> None:
    found, warnings = choose_container(pod(annotations={DEFAULT: "old"}), None)

    assert found["name"] == "web"
    assert warnings == (f"The annotation {DEFAULT} of pod web-1 names old, and there is no such container in it.",)


def test_sidecars_are_passed_over() -> None:
    assert choose_container(pod(containers={"istio-proxy": "ready", "web": "ready"}), None) == ({"name": "web"}, ())
    assert chosen(pod(containers={"istio-proxy": "ready"})) == "istio-proxy"


def test_one_of_several_is_told() -> None:
    found, (warning,) = choose_container(pod(containers={"a": "ready", "b": "ready", "daprd": "ready"}), None)

    assert found["name"] == "a"
    assert warning == (
        "Pod web-1 has the containers a and b: the target is a."
        " Behind the target's name, /container/NAME chooses the other container."
    )


INIT = {"initContainers": [{"name": "prepare"}, {"name": "proxy", "restartPolicy": "Always"}]}


def test_sidecars_that_start_before_the_others() -> None:
    found = pod(spec=INIT)

    assert chosen(found) == "web"
    assert chosen(found, "proxy") == "proxy"
    assert containers.container_names(found) == ("web", "proxy")


@pytest.mark.parametrize(
    ("wanted", "said", "nearest"),
    [
        ("wbe", "Pod web-1 has no container wbe: it has web and proxy.", "web"),
        ("zzz", "Pod web-1 has no container zzz: it has web and proxy.", None),
        ("prepare", "The container prepare of pod web-1 only prepares it: it ends before others start.", None),
        ("debug", "The container debug of pod web-1 is an ephemeral one, and these can't be targets.", None),
    ],
)
def test_no_such_container(wanted: str, said: str, nearest: str | None) -> None:
    with pytest.raises(NoContainer) as caught:
        choose_container(pod(spec=INIT | {"ephemeralContainers": [{"name": "debug"}]}), wanted)

    assert (caught.value.text, caught.value.nearest) == (said, nearest)


# ---------------------------------------------------------------------------------------------- state


def test_ready_and_running() -> None:
    found = pod(containers={"a": "ready", "b": "running", "c": "CrashLoopBackOff"})

    assert [containers.is_running(found, name) for name in "abcd"] == [True, True, False, False]
    assert [containers.is_ready(found, name) for name in "abcd"] == [True, False, False, False]


def test_a_sidecar_that_started_before_has_its_state_elsewhere() -> None:
    found = pod(spec=INIT)
    found["status"]["initContainerStatuses"] = [status("proxy")]

    assert containers.is_ready(found, "proxy")


def test_ids() -> None:
    assert containers.container_id(pod(), "web") == ID
    odd = pod(statuses=[status("web", containerID="vm://1")])
    with pytest.raises(NoContainer, match="of no known form: 'vm://1'"):
        containers.container_id(odd, "web")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"state": {"waiting": {"reason": "PodInitializing"}}}, "isn't running: PodInitializing"),
        (
            {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off\n pulling image."}}},
            "isn't running: ImagePullBackOff (Back-off pulling image)",
        ),
        (
            {
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
            },
            "isn't running: CrashLoopBackOff; it ended last with exit code 137 (OOMKilled)",
        ),
        (
            {"state": {"terminated": {"exitCode": 1, "reason": "Error"}}},
            "has ended with exit code 1",
        ),
        ({"state": {}}, "isn't running yet"),
    ],
)
def test_why_it_does_not_run(found: Any, said: str) -> None:
    assert containers.why_not_running(pod(statuses=[{"name": "web"} | found]), "web") == said


# ---------------------------------------------------------------------------------------------- spec


def test_the_containers_word_counts_before_the_pods() -> None:
    found = pod(spec={"securityContext": {"runAsUser": 1, "runAsGroup": 2, "runAsNonRoot": True}})
    bare: Any = {"name": "web"}
    own: Any = {"name": "web", "securityContext": {"runAsUser": 0, "runAsNonRoot": False}}

    assert containers.identity_of(found, bare, "runAsUser") == 1
    assert containers.identity_of(found, own, "runAsUser") == 0
    assert containers.identity_of(found, own, "runAsGroup") == 2
    assert containers.identity_of(pod(), bare, "runAsUser") is None
    assert containers.runs_as_non_root(found, bare)
    assert not containers.runs_as_non_root(found, own)
    assert not containers.runs_as_non_root(pod(), bare)


def test_capabilities() -> None:
    def capabilities(context: Any) -> Any:
        return containers.capabilities_of({"name": "x", "securityContext": context})

    assert capabilities({"capabilities": {"add": ["CAP_NET_ADMIN", "sys_time"], "drop": ["ALL"]}}) == (
        ("NET_ADMIN", "SYS_TIME"),
        ("ALL",),
    )
    assert capabilities({"privileged": True}) == (("ALL",), ())
    assert capabilities(None) == ((), ())


def test_probes() -> None:
    found = pod(
        spec={
            "containers": [
                {
                    "name": "web",
                    "ports": [{"name": "http", "containerPort": 8080}],
                    "livenessProbe": {"httpGet": {"port": "http"}},
                    "readinessProbe": {"httpGet": {"port": 8080}},
                    "startupProbe": {"exec": {"command": ["true"]}},
                },
                {
                    "name": "rpc",
                    "livenessProbe": {"grpc": {"port": 50051}},
                    "startupProbe": {"tcpSocket": {"port": "9"}},
                },
                {"name": "odd", "livenessProbe": {"httpGet": {"port": "nope"}}},
                {"name": "far", "livenessProbe": {"httpGet": {"port": 1, "host": "192.0.2.1"}}},
            ],
            "initContainers": [
                {"name": "proxy", "restartPolicy": "Always", "startupProbe": {"tcpSocket": {"port": 15020}}},
                {"name": "prepare"},
            ],
        }
    )

    assert containers.probes_of(found) == (
        Probe(8080, "liveness probe of container web and readiness probe of container web"),
        Probe(9, "startup probe of container rpc"),
        Probe(50051, "liveness probe of container rpc"),
        Probe(15020, "startup probe of container proxy"),
    )
