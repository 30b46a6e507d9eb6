"""From values that are each right to a configuration that is right as a whole. Pure: driver.py brings the texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from mirrord_cli.config import known
from mirrord_cli.config.agent import agent_warnings, check_agent, settle_agent
from mirrord_cli.config.keys import BUILD_TOOLS, Config, all_keys
from mirrord_cli.config.network import check_network, network_rules, network_warnings
from mirrord_cli.config.patterns import BadPattern, check_replacement, translate
from mirrord_cli.config.target import EXAMPLE, BadTarget, ClusterTarget, parse_target
from mirrord_cli.config.tree import Reading, Said, overlay, read_tree
from mirrord_cli.config.values import Problem
from mirrord_cli.session.settings import NetworkRules

PATTERNS = ("read_only", "local", "not_found")


class Resolved(msgspec.Struct, frozen=True):
    """The whole configuration: as keys.py has it, and what follows from it."""

    config: Config
    """Its patterns are Python's."""
    target: int | ClusterTarget | None
    """A process of this machine, or what in a cluster; None where none is named."""
    network: NetworkRules
    """What follows from `feature.network`, for a session."""
    warnings: tuple[str, ...] = ()

    @property
    def skipped_programs(self) -> tuple[str, ...]:
        """The names of all programs that run without mirrord."""
        tools = (*BUILD_TOOLS, *self.config.skip_extra_build_tools) if self.config.skip_build_tools else ()
        return (*self.config.skip_processes, *tools)


class Outcome(msgspec.Struct, frozen=True):
    """What resolving led to: a configuration, or why there is none."""

    resolved: Resolved | None
    problems: tuple[Problem, ...] = ()


def said_of(options: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, Said]:
    """Gather what options and variables say, by key; options win. An empty variable says nothing."""
    by_variable = {
        key.path: Said(key, variables[key.variable], f"the variable {key.variable}")
        for key in all_keys()
        if key.variable and variables.get(key.variable) and key.path not in options
    }
    # In this order: an option for a section wins over the variables of its keys.
    return by_variable | {
        key.path: Said(key, options[key.path], f"the option {key.option[0]}")
        for key in all_keys()
        if key.path in options
    }


def resolve(tree: object, said: Mapping[str, Said], variables: Mapping[str, str]) -> Outcome:
    """Resolve what a file says (`{}` without one) and what is laid over it."""
    reading = read_tree(tree)
    overlay(reading, said)
    target = _target(reading)
    _whole(reading, said)
    network = reading.values["feature"].get("network", {})
    reading.problems += check_network(network, variables)
    agent = reading.values.setdefault("agent", {})
    agent_said = tuple(agent)
    for key, other in (("ephemeral", "mode"), ("mode", "ephemeral")):  # two words for one thing
        if f"agent.{key}" in said and f"agent.{other}" not in said:
            agent.pop(other, None)
    reading.problems += settle_agent(agent, reading.image, variables)
    reading.problems += check_agent(reading.values, target)
    if reading.problems:
        return Outcome(None, tuple(reading.problems))
    config = msgspec.convert(reading.values, Config)
    warnings = [
        f"The variable {name} is set, but what it is for is not supported yet: it has no effect."
        for name in known.VARIABLES
        if name in variables
    ]
    if config.feature.fs.mode == "local" and any(getattr(config.feature.fs, name) for name in (*PATTERNS, "mapping")):
        warnings.append("feature.fs.mode is local: the patterns of feature.fs have no effect.")
    warnings += network_warnings(config)
    warnings += agent_warnings(config, target, agent_said)
    rules = network_rules(config, required="mode" in network.get("incoming", {}))
    return Outcome(Resolved(config, target, rules, tuple(warnings)))


def _target(reading: Reading) -> int | ClusterTarget | None:
    name = reading.values.get("target", {}).get("path")
    if name is None:
        return None
    try:
        return parse_target(name)
    except BadTarget as error:
        reading.problems.append(Problem("target.path", str(error), EXAMPLE))
        return None


def _whole(reading: Reading, said: Mapping[str, Said]) -> None:
    """Check what keys mean together, and write patterns as Python does."""
    feature = reading.values.get("feature", {})
    env, fs = feature.get("env", {}), feature.get("fs", {})
    if env.get("include") and env.get("exclude"):
        text = "Both include and exclude of feature.env are given, and only one can be."
        path = next((path for path in ("feature.env.include", "feature.env.exclude") if path in said), "feature.env")
        reading.problems.append(Problem(path, text, "Leave one of them out."))
    for name in env.get("override", {}):
        if not name or "=" in name:
            text = f"feature.env.override: {name!r} is no variable's name."
            reading.problems.append(Problem("feature.env.override", text))
    for name in PATTERNS:
        fs[name] = [_translated(f"feature.fs.{name}", pattern, reading) for pattern in fs.get(name, [])]
    for section, path in ((fs, "feature.fs.mapping"), (env, "feature.env.mapping")):
        section["mapping"] = dict(_mapping(path, section.get("mapping", {}), reading))
    reading.values["feature"] = feature | {"env": env, "fs": fs}


def _mapping(path: str, mapping: Mapping[str, str], reading: Reading) -> Iterator[tuple[str, Any]]:
    for pattern, replacement in mapping.items():
        translated = _translated(path, pattern, reading)
        if path == "feature.fs.mapping" and translated is not None:
            try:
                check_replacement(translated, replacement)
            except BadPattern as error:
                reading.problems.append(Problem(path, f"{path}: the replacement {replacement!r}: {error}."))
        yield translated or "", replacement


def _translated(path: str, pattern: str, reading: Reading) -> str | None:
    try:
        return translate(pattern)
    except BadPattern as error:
        text = f"{path}: the pattern {pattern!r} is no regular expression: {error}."
        reading.problems.append(
            Problem(path, text, "Correct it; a backslash before a special character takes it as it is.")
        )
        return None
