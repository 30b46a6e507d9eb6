"""The configuration: from files, variables and options to values.

keys.py is the one definition of the keys; everything else reads it. driver.py alone reads files.
"""

from __future__ import annotations

from mirrord_cli.config.driver import load
from mirrord_cli.config.resolve import Resolved

__all__ = ["Resolved", "load"]
