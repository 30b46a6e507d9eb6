"""The session's process: has the agent started, then loads what the session itself needs. Which see docs/session.md.

The order is all that is here: both load their modules at the same time. The rest of the session's life is in life/.
"""

from __future__ import annotations

from mirrord_cli.session.settings import Settings
from mirrord_cli.session.spawning.driver import spawn


def run(settings: Settings, link: int, status: int) -> None:
    """Be the session until its last program has ended.

    Args:
        settings: What the command line decided.
        link: The session's end of the link.
        status: A socket to the command line; gets messages of status.py until `Ready` or `Failed`, then is closed.
    """
    spawned = spawn(settings)

    from mirrord_cli.session.life.driver import live

    live(settings, spawned, link, status)
