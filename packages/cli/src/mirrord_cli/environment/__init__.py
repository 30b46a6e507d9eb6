"""The program's environment: the target's variables on the developer's own, as the configuration wants it.

excludes.py says what is never taken, dotenv.py reads files of variables, merge.py puts all together; driver.py does
the reading, and is loaded where a file is named. The agent's side is packages/agent/src/mirrord_agent/env.
"""

from __future__ import annotations

from mirrord_cli.environment.excludes import BUILT_IN
from mirrord_cli.environment.merge import Wishes, merge

__all__ = ["BUILT_IN", "Wishes", "merge"]
