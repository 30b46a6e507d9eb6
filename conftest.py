"""What all tests share: Hypothesis searches without a limit of time for each example; nothing here asserts a timing."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
