"""What files may say, shorthands included, and each mistake with its path."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrord_cli import VERSION
from mirrord_cli.config.keys import Config, all_keys
from mirrord_cli.config.resolve import said_of
from mirrord_cli.config.tree import overlay, read_tree


def values(tree: Any) -> dict[str, Any]:
    reading = read_tree(tree)
    assert reading.problems == []
    return reading.values


def problems(tree: Any) -> list[str]:
    return [problem.text for problem in read_tree(tree).problems]


@pytest.mark.parametrize(
    ("tree", "same"),
    [
        ({"target": "process/1"}, {"target": {"path": "process/1"}}),
        ({"target": {"process": 1}}, {"target": {"path": "process/1"}}),
        ({"target": {"path": {"process": "1"}}}, {"target": {"path": "process/1"}}),
        ({"target": {"deployment": "shop"}}, {"target": {"path": "deployment/shop"}}),
        (
            {"target": {"path": {"cron_job": "x", "container": "c"}, "namespace": "n"}},
            {"target": {"path": "cronjob/x/container/c", "namespace": "n"}},
        ),
        ({"target": {"labels": {"a": "b", "c.d/e": "f"}}}, {"target": {"path": "label/a=b,c.d/e=f"}}),
        ({"target": {"pod": "x", "container": None}}, {"target": {"path": "pod/x"}}),
        ({"target": "targetless"}, {"target": {"path": "targetless"}}),
        ({"agent": {"image": "x:1"}}, {"agent": {"image": "x:1"}}),
        ({"agent": {"image": {"registry": "x", "tag": "1"}}}, {"agent": {"image": "x:1"}}),
        ({"agent": {"image": {"registry": "x"}}}, {"agent": {"image": f"x:{VERSION}"}}),
        ({"agent": {"log_level": "warn"}}, {"agent": {"log_level": "warning"}}),
        (
            {"agent": {"disabled_capabilities": ["CAP_NET_ADMIN", "NET_RAW"]}},
            {"agent": {"disabled_capabilities": ["NET_ADMIN", "NET_RAW"]}},
        ),
        ({"agent": {"disabled_capabilities": "NET_RAW"}}, {"agent": {"disabled_capabilities": ["NET_RAW"]}}),
        (
            {"agent": {"resources": {"limits": {"cpu": 1, "memory": "1Gi"}, "requests": None}}},
            {"agent": {"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}},
        ),
        (
            {"agent": {"tolerations": [{"key": "a", "operator": "Exists", "effect": None}]}},
            {"agent": {"tolerations": [{"key": "a", "operator": "Exists"}]}},
        ),
        ({"agent": {"tolerations": []}}, {"agent": {"tolerations": []}}),
        ({"feature": {"env": True, "fs": True}}, {"feature": {"env": {}, "fs": {}}}),
        ({"feature": {"env": False}}, {"feature": {"env": {"exclude": ["*"]}}}),
        ({"feature": {"fs": False}}, {"feature": {"fs": {"mode": "local"}}}),
        ({"feature": {"fs": "localwithoverrides"}}, {"feature": {"fs": {"mode": "localwithoverrides"}}}),
        (
            {"feature": {"network": False}},
            {
                "feature": {
                    "network": {
                        "incoming": {"mode": "off"},
                        "outgoing": {"tcp": False, "udp": False},
                        "dns": {"enabled": False},
                    }
                }
            },
        ),
        (
            {"feature": {"network": {"incoming": True, "outgoing": True, "dns": True}}},
            {"feature": {"network": {"incoming": {}, "outgoing": {}, "dns": {}}}},
        ),
        ({"feature": {"network": {"incoming": "steal"}}}, {"feature": {"network": {"incoming": {"mode": "steal"}}}}),
        (
            {"feature": {"network": {"outgoing": {"filter": {"local": "a;b"}, "unix_streams": "a;b"}}}},
            {"feature": {"network": {"outgoing": {"filter": {"local": ["a", "b"]}, "unix_streams": ["a;b"]}}}},
        ),
        ({"skip_processes": "sh"}, {"skip_processes": ["sh"]}),
        ({"skip_processes": ""}, {"skip_processes": []}),
        ({"skip_processes": None, "feature": None}, {}),
        ({"feature": {"fs": {"cache_ttl": 0}}}, {"feature": {"fs": {"cache_ttl": 0}}}),
    ],
)
def test_shorthands(tree: Any, same: Any) -> None:
    assert values(tree) == same


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ([], "must be an object with keys, not a list"),
        ({"feature": {"evn": 1}}, "There is no key feature.evn. Did you mean feature.env?"),
        ({"fs": "read"}, "There is no key fs. Did you mean feature.fs?"),
        ({"feature": {"fs": {"readonly": []}}}, "Did you mean feature.fs.read_only?"),
        ({"feature": {"netwrok": 1}}, "Did you mean feature.network?"),
        ({"feature": {"magick": 1}}, "Did you mean feature.magic? (That is not supported yet.)"),
        ({"qqqqq": 1}, "There is no key qqqqq."),
        ({1: 1}, "There is no key 1."),
        ({"agent": {"metrics": "x"}}, "agent.metrics is not supported yet."),
        ({"agent": {"mode": "pod"}}, "agent.mode must be 'auto', 'job' or 'ephemeral', not 'pod'."),
        ({"agent": {"image": 1}}, "agent.image must be an image's name or an object with keys, not the number 1."),
        ({"agent": {"image": "a b"}}, "agent.image: 'a b': it is no image's name"),
        ({"agent": {"image": {"tag": "a:b"}}}, "agent.image.tag: 'a:b': it is no image's tag."),
        ({"agent": {"image": {"tag": 1}}}, "agent.image.tag must be a string, not the number 1."),
        ({"agent": {"image": {"tags": "1"}}}, "There is no key agent.image.tags. Did you mean agent.image.tag?"),
        ({"agent": {"ttl": 65536}}, "agent.ttl must be between 0 and 65535, not 65536."),
        ({"agent": {"ttl": 1.5}}, "agent.ttl must be a whole number, not the number 1.5."),
        ({"agent": {"communication_timeout": 0}}, "between 1 and 65535, not 0."),
        ({"agent": {"disabled_capabilities": ["KILL"]}}, "[0] must be 'NET_ADMIN', 'NET_RAW', 'SYS_PTRACE' or"),
        ({"agent": {"namespace": "A"}}, "agent.namespace: 'A': it may have small letters"),
        ({"agent": {"labels": {"a b": "c"}}}, "agent.labels: the key 'a b': it may have letters"),
        ({"agent": {"annotations": {"/": "c"}}}, "agent.annotations: the key '/': the part before the slash"),
        ({"agent": {"node_selector": {"a": "b c"}}}, "agent.node_selector: the value 'b c' of a: it may have"),
        ({"agent": {"node_selector": {"a": 1}}}, "agent.node_selector.a must be a string, not the number 1."),
        ({"agent": {"resources": {"limits": {"cpu": "much"}}}}, "the value 'much' of cpu: it is no quantity"),
        ({"agent": {"resources": {"limit": {}}}}, "no key agent.resources.limit. Did you mean agent.resources.limits?"),
        ({"agent": {"resources": []}}, "agent.resources must be an object with keys, not a list."),
        ({"agent": {"tolerations": {}}}, "agent.tolerations must be a list of objects, not an object."),
        ({"agent": {"tolerations": [1]}}, "agent.tolerations[0] must be an object with keys, not the number 1."),
        ({"agent": {"tolerations": [{"operater": "x"}]}}, "[0].operater. Did you mean agent.tolerations.operator?"),
        ({"agent": {"image_pull_secrets": [{}]}}, "agent.image_pull_secrets[0].name is missing."),
        ({"agent": {"image_pull_secrets": ["x"]}}, "image_pull_secrets[0] must be an object with keys, not 'x'."),
        ({"agent": {"security_context": {"seccomp_profile": {}}}}, "seccomp_profile.type is missing."),
        ({"startup_retry": {"max_ms": 0}}, "startup_retry.max_ms must be between 1 and 86400000, not 0."),
        ({"startup_retry": {"min_ms": -1}}, "between 0 and 86400000, not -1."),
        (
            {"feature": {"network": {"incoming": {"http_filter": {"path_filter": "x"}}}}},
            "feature.network.incoming.http_filter is not supported yet.",
        ),
        (
            {"feature": {"network": 1}},
            "feature.network must be an object with keys or true or false, not the number 1.",
        ),
        ({"feature": {"network": {"incoming": "seal"}}}, "mode must be 'mirror', 'steal' or 'off', not 'seal'."),
        ({"feature": {"network": {"incoming": {"mode": True}}}}, "or 'off', not true."),
        ({"feature": {"network": {"incoming": {"ports": 80}}}}, "ports must be a list of ports, not the number 80."),
        (
            {"feature": {"network": {"incoming": {"ports": [0]}}}},
            "ports[0] must be a port, a number from 1 to 65535, not",
        ),
        ({"feature": {"network": {"incoming": {"ports": [True]}}}}, "not true."),
        ({"feature": {"network": {"incoming": {"ignore_ports": ["80"]}}}}, "ignore_ports[0] must be a port"),
        ({"feature": {"network": {"incoming": {"port_mapping": 1}}}}, "must be a list of pairs of ports, not the"),
        ({"feature": {"network": {"incoming": {"port_mapping": [[1]]}}}}, "port_mapping[0] must be a pair of ports"),
        ({"feature": {"network": {"incoming": {"listen_ports": [[1, 65536]]}}}}, "listen_ports[0][1] must be a port"),
        ({"feature": {"network": {"outgoing": {"tcp": "yes"}}}}, "outgoing.tcp must be true or false, not 'yes'."),
        ({"feature": {"network": {"outgoing": {"filter": []}}}}, "filter must be an object with keys, not a list."),
        ({"feature": {"network": {"dns": {"filter": {"remote": 1}}}}}, "filter.remote[0] must be a string, not the"),
        ({"feature": {"network": {"nonsense": 1}}}, "There is no key feature.network.nonsense."),
        ({"feature": {"fs": {"mode": "write"}}}, "feature.fs.mode: 'write' is not supported yet"),
        ({"feature": {"fs": "write"}}, "feature.fs.mode: 'write' is not supported yet"),
        ({"feature": {"fs": {"read_write": ["/srv"]}}}, "feature.fs.read_write is not supported yet."),
        ({"feature": {"fs": 3}}, "must be an object with keys, true or false or a mode, not the number 3."),
        ({"feature": {"fs": {"mode": True}}}, "must be 'read', 'local' or 'localwithoverrides', not true"),
        ({"feature": {"fs": {"local": [1]}}}, "feature.fs.local[0] must be a string, not the number 1."),
        ({"feature": {"fs": {"local": {}}}}, "feature.fs.local[0] must be a string, not an object."),
        ({"feature": {"fs": {"mapping": []}}}, "feature.fs.mapping must be an object of strings, not a list."),
        ({"feature": {"fs": {"cache_ttl": -1}}}, "between 0 and 86400 seconds, not -1."),
        ({"feature": {"fs": {"cache_ttl": float("nan")}}}, "between 0 and 86400"),
        ({"feature": {"fs": {"cache_ttl": True}}}, "must be a number of seconds, not true."),
        (
            {"feature": {"env": {"override": {"PORT": 80}}}},
            "feature.env.override.PORT must be a string, not the number 80.",
        ),
        ({"feature": {"env": {"override": {"A": "\0"}}}}, "feature.env.override.A holds a NUL"),
        ({"feature": {"env": {"override": {"A": "\ud800"}}}}, "lone surrogate"),
        ({"feature": {"env": {"env_file": 1}}}, "feature.env.env_file must be a string, not the number 1."),
        ({"skip_build_tools": "no"}, "skip_build_tools must be true or false, not 'no'."),
        ({"target": {"path": {}}}, "target.path names no target."),
        ({"target": {"path": {"container": "x"}}}, "target.path names no target."),
        ({"target": {"pod": "x", "job": "y"}}, "target.path names several targets: pod and job."),
        ({"target": {"pod": 1}}, "target.path.pod must be a string, not the number 1."),
        ({"target": {"labels": "a=b"}}, "target.path.labels must be an object of strings, not 'a=b'."),
        ({"target": {"labels": {"a": 1}}}, "target.path.labels must be an object of strings, not an object."),
        ({"target": {"pod": "x", "container": 1}}, "target.path.container must be a string, not the number 1."),
        ({"target": {"pod": "x", "namespace": "n"}}, "key target.path.namespace. Did you mean target.namespace?"),
        ({"target": {"path": {"process": True}}}, "target.path.process must be a number, not true."),
        ({"target": {"path": {"proces": 1}}}, "no key target.path.proces. Did you mean target.path.process?"),
        ({"target": {"namespace": "a.b"}}, "target.namespace: 'a.b': it may have small letters, digits and hyphens"),
        ({"target": 5}, "target must be an object with keys or a target, not the number 5."),
    ],
)
def test_mistakes(tree: Any, said: str) -> None:
    found = problems(tree)

    assert any(said in text for text in found), found


def test_every_mistake_is_found_at_once() -> None:
    assert len(problems({"a": 1, "feature": {"fs": {"mode": 1, "local": 2}, "env": {"x": 1}}})) == 4


def said(options: dict[str, str], variables: dict[str, str], tree: Any = None) -> tuple[dict[str, Any], list[str]]:
    reading = read_tree(tree or {})
    overlay(reading, said_of(options, variables))
    return reading.values, [problem.text for problem in reading.problems]


def test_options_win_over_variables_and_these_over_the_file() -> None:
    file = {"feature": {"fs": {"mode": "read"}}, "target": "process/1"}
    variables = {"MIRRORD_FILE_MODE": "local", "MIRRORD_IMPERSONATED_TARGET": "process/2"}

    found, _ = said({"target.path": "process/3"}, variables, file)

    assert found == {"feature": {"fs": {"mode": "local"}}, "target": {"path": "process/3"}}


def test_names_in_a_file_may_stand_in_one_text() -> None:
    """As in variables; a pattern may have a semicolon of its own."""
    file = {"feature": {"env": {"exclude": "A;B*;"}, "fs": {"local": "a;b"}}, "skip_processes": "x;y"}

    found, wrong = said({}, {}, file)

    assert wrong == []
    assert found == {
        "feature": {"env": {"exclude": ["A", "B*"]}, "fs": {"local": ["a;b"]}}, "skip_processes": ["x", "y"]
    }  # fmt: skip


def test_texts_become_what_the_key_wants() -> None:
    variables = {
        "MIRRORD_OVERRIDE_ENV_VARS_INCLUDE": "A;B*;",
        "MIRRORD_SKIP_BUILD_TOOLS": "False",
        "MIRRORD_FILE_CACHE_TTL": "2.5",
        "MIRRORD_SKIP_PROCESSES": "",
        "MIRRORD_AGENT_TTL": "5",
        "MIRRORD_EPHEMERAL_CONTAINER": "true",
        "MIRRORD_AGENT_RUST_LOG": "trace",
    }

    found, wrong = said({}, variables)

    assert wrong == []
    assert found == {
        "feature": {"env": {"include": ["A", "B*"]}, "fs": {"cache_ttl": 2.5}},
        "skip_build_tools": False,
        "agent": {"ttl": 5, "ephemeral": True, "log_level": "debug"},
    }
    assert said({}, {"MIRRORD_AGENT_TTL": "1s"})[1] == ["agent.ttl must be a whole number, not '1s'."]
    assert said({}, {"MIRRORD_FILE_CACHE_TTL": "soon"})[1] == [
        "feature.fs.cache_ttl must be a number of seconds, not 'soon'."
    ]


def test_what_was_switched_off_still_heeds_its_variables() -> None:
    off = {"feature": {"env": False, "fs": False}}
    variables = {"MIRRORD_OVERRIDE_ENV_VARS_INCLUDE": "A", "MIRRORD_FILE_MODE": "read"}

    assert said({}, variables, off)[0]["feature"] == {"env": {"include": ["A"]}, "fs": {"mode": "read"}}
    assert said({}, {}, off)[0]["feature"]["env"] == {"exclude": ["*"]}


NETWORK_OFF = {"feature": {"network": False}}


@pytest.mark.parametrize(
    ("text", "mode"),
    [("true", "steal"), ("1", "steal"), ("False", "off"), ("0", "off"), ("mirror", "mirror"), ("steal", "steal")],
)
def test_the_variable_for_stealing_has_words_of_its_own(text: str, mode: str) -> None:
    found, wrong = said({}, {"MIRRORD_AGENT_TCP_STEAL_TRAFFIC": text}, NETWORK_OFF)

    assert wrong == []
    assert found["feature"]["network"]["incoming"] == {"mode": mode}
    assert said({}, {"MIRRORD_AGENT_TCP_STEAL_TRAFFIC": "some"})[1] == [
        "feature.network.incoming.mode must be 'mirror', 'steal' or 'off', not 'some'."
    ]


def test_an_option_for_a_section_wins_over_the_variables_of_its_keys() -> None:
    variables = {"MIRRORD_TCP_OUTGOING": "true", "MIRRORD_UDP_OUTGOING": "true"}
    file = {"feature": {"network": {"outgoing": {"tcp": True, "ignore_localhost": True}}}}

    found, wrong = said({"feature.network.outgoing": "false"}, variables, file)

    assert wrong == []
    assert found["feature"]["network"]["outgoing"] == {"tcp": False, "udp": False, "ignore_localhost": True}
    assert said({"feature.network.outgoing": "false"}, {})[0]["feature"]["network"]["outgoing"]["udp"] is False


names = st.sampled_from(
    [part for key in all_keys() for part in key.path.split(".")] + ["process", "labels", "key", "nope"]
)
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["read", "process/1", "x", ""])
    | st.text()
)
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4), max_leaves=20
)


@given(trees)
def test_whatever_a_file_says_it_is_right_or_has_a_problem(tree: Any) -> None:
    """What has no problem is exactly what the definition's types take."""
    reading = read_tree(tree)

    if not reading.problems:
        msgspec.convert(reading.values, Config)
