"""Each action that the machine can want is one that the performer carries out."""

from __future__ import annotations

import inspect
import typing

from mirrord_cli.session import actions
from mirrord_cli.session.network import driver as network
from mirrord_cli.session.performer import driver


def test_each_action_is_carried_out() -> None:
    source = ""
    for part in (driver, network):
        source += inspect.getsource(part)
    wanted = {action.__name__ for action in typing.get_args(actions.Action)}

    assert wanted
    assert {name for name in wanted if f" {name}: " not in source and f"{{{name}: " not in source} == set()
