"""Memory that ends where an unreadable page begins, so that one byte read too many ends the process."""

from __future__ import annotations

import ctypes
import mmap

PROT_NONE = 0


class Guarded:
    """Room for `size` bytes before an unreadable page."""

    def __init__(self, size: int) -> None:
        pages = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        self._map = mmap.mmap(-1, pages + mmap.PAGESIZE)
        self._base = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        self._end = pages
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mprotect(ctypes.c_void_p(self._base + pages), ctypes.c_size_t(mmap.PAGESIZE), PROT_NONE) != 0:
            raise OSError(ctypes.get_errno(), "mprotect")

    def put(self, data: bytes) -> int:
        """Put data at the very end of what is readable; its address."""
        start = self._end - len(data)
        self._map[start : self._end] = data
        return self._base + start
