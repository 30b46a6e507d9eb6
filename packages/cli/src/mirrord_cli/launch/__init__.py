"""What happens between a decided configuration and the running program: all of it is input and output.

target.py, program.py and debuggers.py look at what is to be used, session.py starts the session, cluster.py also its agent in a cluster, image.py becomes the program.
commands/exec.py calls them in this order.
"""

from __future__ import annotations

from mirrord_cli.launch.cluster import InCluster, start_in_cluster
from mirrord_cli.launch.debuggers import debugger_ports, unknown_detector
from mirrord_cli.launch.image import become, own_environment
from mirrord_cli.launch.log import new_log
from mirrord_cli.launch.program import Found, find_program, installations
from mirrord_cli.launch.session import Started, agent_command, start_session
from mirrord_cli.launch.target import find_target

__all__ = [
    "Found",
    "InCluster",
    "Started",
    "agent_command",
    "become",
    "debugger_ports",
    "find_program",
    "find_target",
    "installations",
    "new_log",
    "own_environment",
    "start_in_cluster",
    "start_session",
    "unknown_detector",
]
