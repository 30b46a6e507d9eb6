"""The session's entry: `run` is what the forked process does. docs/session.md tells what that is.

An agent on this machine is started before the rest is loaded, which takes as long; nothing imported here is slow.
"""

from __future__ import annotations

from mirrord_cli.session.settings import LocalTarget, Settings
from mirrord_cli.session.starting.driver import start_agent


def run(settings: Settings, link: int, status: int) -> None:
    """Be the session until its last program has ended.

    Args:
        settings: What the command line decided.
        link: The session's end of the link.
        status: A socket to the command line; gets messages of status.py until `Ready` or `Failed`, then is closed.
            Brings those of instructions.py where the target is in a cluster.
    """
    target = settings.target
    agent = start_agent(settings, target) if isinstance(target, LocalTarget) else None
    from mirrord_cli.session.life.driver import live

    live(settings, link, status, agent)
