"""What people see on standard error: the summary before a program starts, progress, errors.

lines.py decides the words, driver.py writes them. Programs' own output is never touched.
"""

from __future__ import annotations

from mirrord_cli.ui.driver import Screen
from mirrord_cli.ui.lines import Summary

__all__ = ["Screen", "Summary"]
