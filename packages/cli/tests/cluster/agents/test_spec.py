"""What is created: rights, place, options, and nothing secret."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pytest
from msgspec.structs import replace

from cluster_pods import CONTAINER_ID, NODE, found
from mirrord_cli import VERSION
from mirrord_cli.cluster.agents.ladder import Rung
from mirrord_cli.cluster.agents.spec import PORTS, Start, choose_port, ephemeral_patch, job, label_value
from mirrord_cli.cluster.objects import Json
from mirrord_cli.config.agent_keys import Agent, Profile, SecurityContext

TOKEN = bytes(range(32))
START = Start(name="mirrord-agent-q1w2e3r4t5", port=61234, token=TOKEN, owner="alice on laptop, process 4242")
JOB = Rung(mode="job", level="full", incoming=True)
TARGETLESS = Rung(mode="job", level="restricted")
FULL = Rung(mode="ephemeral", level="full", incoming=True)
BASELINE = Rung(mode="ephemeral", level="baseline")
RESTRICTED = Rung(mode="ephemeral", level="restricted")


def pod_spec(made: Json) -> Json:
    spec: Json = made["spec"]["template"]["spec"]
    return spec


def container_of(made: Json) -> Json:
    """The one container of a Job or a patch."""
    spec = made["spec"]
    [container] = spec["ephemeralContainers"] if "ephemeralContainers" in spec else pod_spec(made)["containers"]
    found: Json = container
    return found


def security_of(made: Json) -> Json:
    context: Json = container_of(made)["securityContext"]
    return context


# ---------------------------------------------------------------------------------------------- a Job


def test_a_job_that_leaves_nothing() -> None:
    made = job(Agent(), found(), START, JOB)

    assert (made["apiVersion"], made["kind"], made["metadata"]["name"]) == ("batch/v1", "Job", START.name)
    assert made["spec"]["ttlSecondsAfterFinished"] == 1
    assert made["spec"]["backoffLimit"] == 0
    spec = pod_spec(made)
    assert spec["restartPolicy"] == "Never"
    assert spec["automountServiceAccountToken"] is spec["enableServiceLinks"] is False
    assert "volumes" not in spec and "hostNetwork" not in spec


def test_it_goes_to_the_targets_node() -> None:
    spec = pod_spec(job(Agent(node_selector={"disk": "ssd"}), found(), START, JOB))

    [term] = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term == {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [NODE]}]}
    assert spec["tolerations"] == [{"operator": "Exists"}]
    assert spec["hostPID"] is True
    assert "nodeSelector" not in spec


def test_rights_of_a_job() -> None:
    """What the target has by default or was given is kept: else the agent couldn't look into all of a root target's /proc."""
    security = security_of(job(Agent(), found(added_capabilities=("SYS_NICE",)), START, JOB))

    assert "drop" not in security["capabilities"]
    assert {"SYS_ADMIN", "SYS_PTRACE", "NET_ADMIN", "SYS_NICE"} <= set(security["capabilities"]["add"])
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert (security["runAsUser"], security["runAsNonRoot"]) == (0, False)
    assert "privileged" not in security


def test_no_more_rights_than_are_needed() -> None:
    without = security_of(job(Agent(), found(), START, Rung(mode="job", level="full")))
    assert "NET_ADMIN" not in without["capabilities"]["add"]

    disabled = Agent(disabled_capabilities=["SYS_ADMIN", "NET_RAW"])
    capabilities = security_of(job(disabled, found(), START, JOB))["capabilities"]
    assert not {"SYS_ADMIN", "NET_RAW"} & set(capabilities["add"])
    assert {"NET_ADMIN", "SYS_PTRACE"} <= set(capabilities["add"])
    assert capabilities["drop"] == ["NET_RAW", "SYS_ADMIN"]


def test_privileged() -> None:
    """The API refuses to limit what is privileged."""
    for made in (
        job(Agent(), found(), START, replace(JOB, privileged=True)),
        ephemeral_patch(Agent(), found(), START, replace(FULL, privileged=True)),
    ):
        security = security_of(made)
        assert security["privileged"] is True
        assert "allowPrivilegeEscalation" not in security and "capabilities" not in security


def test_what_the_configuration_says() -> None:
    agent = Agent(
        image="registry.test/agent:7",
        image_pull_policy="Always",
        image_pull_secrets=[{"name": "pull"}],
        ttl=90,
        communication_timeout=45,
        tolerations=[{"key": "gpu", "operator": "Exists"}],
        resources={"limits": {"memory": "1Gi"}},
        labels={"team": "shop", "mirrord.dev/owner": "bob"},
        annotations={"why": "because"},
        service_account="agents",
        priority_class="high",
        security_context=SecurityContext(
            app_armor_profile=Profile(type="Localhost", localhost_profile="agent"),
            seccomp_profile=Profile(type="Unconfined"),
        ),
        log_level="debug",
    )
    made = job(agent, found(), START, JOB)
    spec, container, security = pod_spec(made), container_of(made), security_of(made)

    assert (container["image"], container["imagePullPolicy"]) == ("registry.test/agent:7", "Always")
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    assert made["spec"]["ttlSecondsAfterFinished"] == 90
    assert spec["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert container["resources"] == {"limits": {"memory": "1Gi"}}
    assert (spec["serviceAccountName"], spec["priorityClassName"]) == ("agents", "high")
    assert security["appArmorProfile"] == {"type": "Localhost", "localhostProfile": "agent"}
    assert security["seccompProfile"] == {"type": "Unconfined"}
    for metadata in (made["metadata"], made["spec"]["template"]["metadata"]):
        assert metadata["labels"]["team"] == "shop"
        assert metadata["labels"]["mirrord.dev/owner"] == "bob"
        assert metadata["annotations"]["why"] == "because"
    assert option(container, "--communication-timeout") == "45"
    assert option(container, "--log-level") == "debug"


def test_no_tolerations_where_none_are_wanted() -> None:
    assert pod_spec(job(Agent(tolerations=[]), found(), START, JOB))["tolerations"] == []


def test_meshes_leave_it_alone() -> None:
    metadata = job(Agent(), found(), START, JOB)["spec"]["template"]["metadata"]
    assert metadata["labels"]["sidecar.istio.io/inject"] == "false"
    assert metadata["labels"]["kuma.io/sidecar-injection"] == "disabled"
    assert metadata["annotations"]["consul.hashicorp.com/connect-inject"] == "false"
    assert metadata["annotations"]["linkerd.io/inject"] == "disabled"

    metadata = job(Agent(disable_mesh_sidecar_injection=False), found(), START, JOB)["spec"]["template"]["metadata"]
    assert not any("istio" in key or "kuma" in key or "linkerd" in key for each in metadata.values() for key in each)


def test_whose_it_is() -> None:
    metadata = job(Agent(), found(), START, JOB)["metadata"]

    assert metadata["labels"]["app.kubernetes.io/name"] == "mirrord-agent"
    assert metadata["labels"]["app.kubernetes.io/managed-by"] == "mirrord"
    assert metadata["labels"]["mirrord.dev/owner"] == "alice"
    assert metadata["annotations"]["mirrord.dev/owner"] == START.owner
    assert metadata["annotations"]["mirrord.dev/target"] == "shop/web-5d8/web"
    assert metadata["annotations"]["mirrord.dev/version"] == VERSION


@pytest.mark.parametrize(
    ("text", "value"),
    [("alice", "alice"), ("Ünal Öz@corp", "nal-z-corp"), ("--", ""), ("x" * 70, "x" * 63), ("a" * 62 + "-b", "a" * 62), ("_a.b_", "a.b")],
)  # fmt: skip
def test_values_of_labels(text: str, value: str) -> None:
    """As the API has them: at most 63 of letters, digits, `-_.`, the first and the last a letter or a digit."""
    assert label_value(text) == value
    assert re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?", value)


def test_an_owner_without_a_name_has_a_label_all_the_same() -> None:
    start = Start(name="a", port=1, token=TOKEN, owner="用户 on laptop, process 1")

    assert job(Agent(), found(), start, JOB)["metadata"]["labels"]["mirrord.dev/owner"] == "unknown"


# ---------------------------------------------------------------------------------------------- without a target


def test_an_agent_that_is_its_own_target_is_admitted_anywhere() -> None:
    made = job(Agent(node_selector={"disk": "ssd"}, privileged=True), None, START, TARGETLESS)
    spec, security = pod_spec(made), security_of(made)

    assert "hostPID" not in spec and "affinity" not in spec and "tolerations" not in spec
    assert spec["nodeSelector"] == {"kubernetes.io/os": "linux", "disk": "ssd"}
    assert security == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert "--target-self" in container_of(made)["args"]
    assert made["metadata"]["annotations"]["mirrord.dev/target"] == "targetless"
    tolerations = [{"key": "gpu", "operator": "Exists"}]
    assert pod_spec(job(Agent(tolerations=tolerations), None, START, TARGETLESS))["tolerations"] == tolerations


# ---------------------------------------------------------------------------------------------- ephemeral


def test_an_ephemeral_container() -> None:
    container = container_of(ephemeral_patch(Agent(), found(), START, FULL))

    assert (container["name"], container["targetContainerName"]) == (START.name, "web")
    # The API refuses these for ephemeral containers.
    assert not {"resources", "ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle"} & set(container)


def test_rights_of_an_ephemeral_container() -> None:
    target = found(added_capabilities=("SYS_TIME", "CAP_NET_BIND_SERVICE"))
    security = security_of(ephemeral_patch(Agent(), target, START, FULL))

    assert security["capabilities"] == {
        "add": ["SETUID", "SETGID", "SYS_TIME", "NET_BIND_SERVICE", "NET_ADMIN"],
    }  # nothing is dropped, since the target has what the runtime gives to everybody
    assert (security["runAsUser"], security["runAsGroup"], security["runAsNonRoot"]) == (0, 0, False)


def test_baseline_asks_for_nothing_that_pod_security_refuses_there() -> None:
    """`baseline` admits the default capabilities but for NET_RAW, which may be had but not be asked for."""
    security = security_of(ephemeral_patch(Agent(), found(), START, BASELINE))

    assert security["capabilities"] == {"add": ["SETUID", "SETGID"]}
    assert "privileged" not in security


def test_what_is_disabled_is_dropped() -> None:
    agent = Agent(disabled_capabilities=["NET_RAW"])

    assert security_of(ephemeral_patch(agent, found(), START, FULL))["capabilities"] == {
        "add": ["SETUID", "SETGID", "NET_ADMIN"],
        "drop": ["NET_RAW"],
    }


def test_no_ports_of_a_node() -> None:
    """A target in its node's network may have the rights over that; the agent doesn't get them."""
    for theirs in ("ALL", "NET_ADMIN"):
        target = found(host_network=True, added_capabilities=(theirs,))
        capabilities = security_of(ephemeral_patch(Agent(), target, START, BASELINE))["capabilities"]
        assert "NET_ADMIN" not in capabilities["add"]
        assert capabilities["drop"] == ["NET_ADMIN"]


@pytest.mark.parametrize(("group", "said"), [(1000, {"runAsGroup": 1000}), (None, {})])
def test_restricted_is_the_targets_user_without_rights(group: int | None, said: Json) -> None:
    security = security_of(ephemeral_patch(Agent(), found(group_id=group), START, RESTRICTED))

    assert security == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
        **said,
    }


# ---------------------------------------------------------------------------------------------- options


def option(container: Json, name: str) -> Any:
    arguments = container["args"]
    return arguments[arguments.index(name) + 1]


@pytest.mark.parametrize("made", [job(Agent(), found(), START, JOB), ephemeral_patch(Agent(), found(), START, FULL)])
def test_the_agents_options(made: Json) -> None:
    container = container_of(made)

    assert "command" not in container
    assert option(container, "--listen") == "61234"
    assert option(container, "--token-digest") == hashlib.sha256(TOKEN).hexdigest()
    assert option(container, "--target-container") == CONTAINER_ID
    assert option(container, "--owner") == START.owner
    assert option(container, "--termination-log") == container["terminationMessagePath"]
    assert all(isinstance(argument, str) for argument in container["args"])
    assert container["image"] == f"mirrord-agent:{VERSION}"


def test_nothing_is_secret() -> None:
    made = json.dumps([job(Agent(), found(), START, JOB), ephemeral_patch(Agent(), found(), START, FULL)])

    assert TOKEN.hex() not in made
    assert TOKEN.hex() not in repr(START) and repr(TOKEN) not in repr(START)


def test_an_owners_dollars_are_no_variables() -> None:
    """The kubelet takes `$(NAME)` in arguments for a variable, and `$$` for a dollar."""
    start = Start(name="a", port=1, token=TOKEN, owner="$(HOSTNAME) on laptop, process 1")

    assert option(container_of(job(Agent(), found(), start, JOB)), "--owner") == "$$(HOSTNAME) on laptop, process 1"


def test_ports() -> None:
    assert choose_port((), lambda count: count - 1) == 65535
    assert choose_port({61000, 61001}, lambda _: 0) == 61002
    assert min(PORTS) > 60999, "Linux gives ports up to there to anybody"
    assert not set(range(30000, 32768)) & set(PORTS), "ports of Services"
