"""What is never taken."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from mirrord_cli.environment.excludes import BUILT_IN


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "LD_PRELOAD", "LD_LIBRARY_PATH", "MIRRORD_LAYER", "PYTHONPATH", "GEM_HOME", "BUNDLE_PATH", "_"]
)  # fmt: skip
def test_excluded(name: str) -> None:
    assert any(fnmatchcase(name, wildcard.decode()) for wildcard in BUILT_IN)


@pytest.mark.parametrize(
    "name", ["SHOP_NAME", "DATABASE_URL", "PATHS", "LANG", "HOSTNAME", "AWS_REGION", "OLD", "NODE_ENV"]
)
def test_not_excluded(name: str) -> None:
    assert not any(fnmatchcase(name, wildcard.decode()) for wildcard in BUILT_IN)
