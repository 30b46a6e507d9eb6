"""What is refused by name is known, and is none of what is built."""

from __future__ import annotations

from mirrord_cli.commands.exec import exec_command
from mirrord_cli.commands.group import COMMANDS
from mirrord_cli.config import known
from mirrord_cli.config.keys import all_keys


def test_the_tree_is_read_as_it_is_written() -> None:
    assert {
        "operator",
        "agent.dns.attempts",
        "agent.metrics",
        "feature.network.incoming.http_filter.any_of",
    } <= known.KEYS
    assert {"feature.env.load_from_process", "experimental.latency.transmit_delay"} <= known.KEYS
    assert not {"", "agent", "target", "feature", "feature.env", "feature.fs"} & known.KEYS
    assert all(part.isidentifier() for key in known.KEYS for part in key.split("."))


def test_sections_are_there_with_their_keys() -> None:
    built = {key.path for key in all_keys()}
    for key in known.KEYS:
        above = key.rpartition(".")[0]
        assert not above or above in known.KEYS | built, key


def test_nothing_is_built_and_not_built() -> None:
    assert not {key.path for key in all_keys()} & known.KEYS
    assert not {key.variable for key in all_keys()} & set(known.VARIABLES)
    assert not {key.variable for key in all_keys()} & set(known.HTTP_FILTERS)
    assert not {option for key in all_keys() for option in key.option} & set(known.OPTIONS)
    assert not {option for parameter in exec_command.params for option in parameter.opts} & set(known.OPTIONS)
    assert not set(COMMANDS) & set(known.COMMANDS)


def test_values_that_are_already_so_belong_to_known_keys() -> None:
    assert set(known.ALREADY_SO) <= known.KEYS
