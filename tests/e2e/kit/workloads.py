"""What the end-to-end tests run in a cluster: a shop in each kind of workload, with all that a pod's spec can give it.

Objects are as the API has them; images.py has what they run. The names are those that tests use.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.e2e.kit.images import GO_IMAGE, SHOP_IMAGE, USER_IMAGE

Json = dict[str, Any]

PORT, PROBED = 8000, 9000
"""Where a shop serves, and where it is asked whether it is well."""
SETTINGS = '{"greeting": "Good morning, Zoë!"}\n'
VARIABLES = {"SHOP_LITERAL": "Pears & Sons", "SHOP_SECRET": "sesame", "SHOP_CONFIGURED": "dark blue"}
"""From the pod's spec, a Secret and a ConfigMap."""
NOTE = "written by target\n"
RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": 10001,
    "runAsGroup": 10001,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""What Pod Security's level `restricted` wants, and a root that can't be written."""
HALF = "half"
OURS = {"mirrord-e2e": "yes"}
"""The label of what runs have beyond their namespaces, and of these."""
SIDECAR = "istio-proxy"
"""A name that is known for one that isn't anybody's target."""


def _container(name: str, image: str, command: list[str] | None, arguments: list[str], **rest: Any) -> Json:
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        **({"command": command} if command else {}),
        "args": arguments,
        **rest,
    }


def go(name: str = "shop", *ports: int, **rest: Any) -> Json:
    """A container with nothing in it but a static program."""
    found = [str(port) for port in ports or (PORT,)]
    return _container(name, GO_IMAGE, None, [*found, "target"], **rest)


def flask(name: str = "shop", image: str = SHOP_IMAGE, **rest: Any) -> Json:
    """A container with gunicorn, whose probes have a port of their own."""
    script = (
        'echo "written by target" > /scratch/note && '
        f"exec gunicorn --workers 2 --worker-tmp-dir /scratch -b :{PORT} -b :{PROBED} \"shop:make('target')\""
    )
    return _container(name, image, ["sh", "-c"], [script], **_probes(PROBED), **rest)


def node(program: str) -> Json:
    """A container with a program in Node, whose probes ask the port that it serves on."""
    script = f'echo "written by target" > /scratch/note && exec node {program} {PORT} target'
    return _container("shop", SHOP_IMAGE, ["sh", "-c"], [script], **_probes("shop"))


def _probes(port: int | str) -> Json:
    probe = {"httpGet": {"path": "/healthz", "port": port}, "periodSeconds": 1, "timeoutSeconds": 5}
    return {
        "ports": [{"name": "shop", "containerPort": PORT}],
        "startupProbe": probe | {"failureThreshold": 120},
        "readinessProbe": probe,
        "livenessProbe": probe | {"failureThreshold": 15},
    }


def pod_spec(*containers: Json, **rest: Any) -> Json:
    """The part of a workload that its pods are made from."""
    return {"containers": list(containers), "terminationGracePeriodSeconds": 1, "enableServiceLinks": False, **rest}


def workload(kind: str, name: str, spec: Json, **rest: Any) -> Json:
    """A Deployment, or whatever else has a selector and pods of its own."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": spec}
    replicas = {} if kind == "DaemonSet" else {"replicas": 1}
    return _object(
        "apps/v1",
        kind,
        name,
        spec={"selector": {"matchLabels": labels}, "template": template, **replicas, **rest},
    )


def _object(api: str, kind: str, name: str, labels: Json | None = None, **rest: Any) -> Json:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "labels": labels or {"app": name}}, **rest}


def service(name: str, app: str, *, headless: bool = False) -> Json:
    """A Service at port 80; a headless one leads to the pods, and the port is theirs."""
    ports = [{"port": 80, "targetPort": PORT}]
    return _object("v1", "Service", name, spec={"selector": {"app": app}, "ports": ports}
                   | ({"clusterIP": "None"} if headless else {}))  # fmt: skip


def furnished(container: Json) -> Json:
    """The pod's spec of a container with variables and files from everywhere."""
    env = [
        {"name": "SHOP_LITERAL", "value": VARIABLES["SHOP_LITERAL"]},
        {"name": "SHOP_SECRET", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "password"}}},
        {"name": "SHOP_CONFIGURED", "valueFrom": {"configMapKeyRef": {"name": "shop", "key": "colour"}}},
        {"name": "NOTE", "value": "/scratch/note"},  # which the shop in Go writes
    ]
    mounts = [{"name": "settings", "mountPath": "/srv/shop"}, {"name": "scratch", "mountPath": "/scratch"}]
    volumes = [{"name": "settings", "configMap": {"name": "shop"}}, {"name": "scratch", "emptyDir": {}}]
    return pod_spec(container | {"env": env, "volumeMounts": mounts}, volumes=volumes)


def furniture() -> list[Json]:
    """What `furnished` takes from."""
    return [
        _object("v1", "Secret", "shop", stringData={"password": VARIABLES["SHOP_SECRET"]}),
        _object("v1", "ConfigMap", "shop", data={"colour": VARIABLES["SHOP_CONFIGURED"], "settings.json": SETTINGS}),
    ]


def client() -> Json:
    """A pod that asks others."""
    return _pod("client", _container("client", SHOP_IMAGE, ["sleep"], ["infinity"], securityContext=RESTRICTED))


def _pod(name: str, *containers: Json, **rest: Any) -> Json:
    return _object("v1", "Pod", name, spec=pod_spec(*containers, **rest))


def locked() -> Json:
    """A Deployment that Pod Security admits everywhere."""
    return workload("Deployment", "locked", furnished(go(securityContext=RESTRICTED)))


def half_ready() -> Json:
    """Two pods, the first of which is never ready."""
    command = ["sh", "-c", f'[ "$HOSTNAME" = {HALF}-1 ]']
    container = _container("shop", SHOP_IMAGE, ["sleep"], ["infinity"]) | {
        "readinessProbe": {"exec": {"command": command}}
    }
    made = workload("StatefulSet", HALF, pod_spec(container), serviceName=HALF, podManagementPolicy="Parallel")
    made["spec"]["replicas"] = 2
    return made


def in_privileged() -> list[Json]:
    """Everything there is."""
    job, cron = (
        {"template": {"metadata": {"labels": {"app": app}}, "spec": pod_spec(go(), restartPolicy="Never")}}
        for app in ("job", "cron")
    )
    sidecar, front, back = (
        go(name, port, env=[{"name": "WHICH", "value": name}])
        for name, port in ((SIDECAR, 15001), ("front", PORT), ("back", PORT + 1))
    )
    return [
        *furniture(),
        *pairs("flask", furnished(flask())),
        *pairs("http", furnished(node("shop_http.js"))),
        *pairs("express", furnished(node("shop_express.js"))),
        *pairs("go", furnished(go())),
        locked(),
        service("locked", "locked"),
        workload("Deployment", "imaged", furnished(flask(image=USER_IMAGE))),
        workload("StatefulSet", "stateful", pod_spec(go()), serviceName="stateful"),
        service("stateful", "stateful", headless=True),
        workload("DaemonSet", "daemon", pod_spec(go())),
        workload("ReplicaSet", "replica", pod_spec(go())),
        _object("batch/v1", "Job", "job", spec=job),
        _object("batch/v1", "CronJob", "cron", spec={
            "schedule": "* * * * *", "concurrencyPolicy": "Forbid", "jobTemplate": {"spec": cron},
        }),
        half_ready(),
        _pod("alone", go()),
        _pod("several", sidecar, front, back),
        _pod("shared", front, back, shareProcessNamespace=True),
        client(),
    ]  # fmt: skip


def pairs(name: str, spec: Json) -> list[Json]:
    """A Deployment with two Services: one with an address of its own, and a headless one."""
    return [
        workload("Deployment", name, spec),
        service(name, name),
        service(f"{name}-pods", name, headless=True),
    ]


def in_baseline() -> list[Json]:
    """A target as root, and one that needs nothing."""
    return [*furniture(), *pairs("flask", furnished(flask())), locked(), service("locked", "locked")]


def in_restricted() -> list[Json]:
    """What Pod Security admits there."""
    return [*furniture(), locked(), service("locked", "locked")]


ROLLOUTS = _object(
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    "rollouts.argoproj.io",
    labels=OURS,
    spec={
        "group": "argoproj.io",
        "names": {"kind": "Rollout", "plural": "rollouts", "singular": "rollout"},
        "scope": "Namespaced",
        "versions": [{
            "name": "v1alpha1", "served": True, "storage": True,
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
        }],
    },
)  # fmt: skip
"""Argo's kind of workload, without its controller and what it checks."""


def rollout(*, controlled: bool) -> list[Json]:
    """A rollout, and unless Argo's controller does it, what that would make of it and say."""
    made = workload("ReplicaSet", "rolled", pod_spec(go()))
    rolled = made | {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}
    return [rolled] if controlled else [made, rolled | {"status": {"availableReplicas": 1}}]


def namespaces(levels: Iterable[tuple[str, str]]) -> list[Json]:
    """Namespaces, each with its level of Pod Security."""
    return [
        _object("v1", "Namespace", name, labels={"pod-security.kubernetes.io/enforce": level, **OURS})
        for name, level in levels
    ]
