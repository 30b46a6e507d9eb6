"""What the rows about files read."""

from __future__ import annotations

import os
from collections.abc import Callable

SHOP = "/srv/shop"
Write = Callable[[str, str | bytes], object]
"""Makes a file of a path and a content."""


def fill(write: Write) -> None:
    """Make what the rows about calls read: of everything little."""
    write(f"{SHOP}/small.txt", "x" * 100)
    for number in range(100):
        write(f"{SHOP}/hundred/{number:03}", "x" * 10)
    imports = "".join(f"from wide import part{number}\n" for number in range(50))
    write(f"{SHOP}/lib/wide/__init__.py", imports)
    for number in range(50):
        write(f"{SHOP}/lib/wide/part{number}.py", f"VALUE = {number}\n" * 20)


def fill_bulk(write: Write) -> None:
    """Make what the rows about throughput read."""
    write(f"{SHOP}/ten.bin", os.urandom(10_000_000))
    write(f"{SHOP}/bulk.bin", os.urandom(1 << 20) * 256)
