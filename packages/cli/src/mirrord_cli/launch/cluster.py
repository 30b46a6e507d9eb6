"""Starts a session with a target in a cluster: forks it, has an agent created, and lets the session meet it.

What is created, and in which order it is tried, is decided in ../cluster/. The kubernetes client is loaded here, after
the fork: session and client load at once, and the client is gone when this process becomes the program.
"""

from __future__ import annotations

import getpass
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mirrord_cli.config.resolve import Resolved
from mirrord_cli.config.target import ClusterTarget
from mirrord_cli.errors import MirrordError
from mirrord_cli.launch.session import Forked, Started, fork_session
from mirrord_cli.session.instructions import Began, Meet
from mirrord_cli.session.settings import Settings

