"""The API's objects as this package has them: plain JSON, as the server sends it. No I/O."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
