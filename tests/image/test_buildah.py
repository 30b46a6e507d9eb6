"""The store of images, by the real buildah."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.run import which
from tools.image.buildah import Store

NAME = "localhost/small:1"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    if os.geteuid() != 0:
        pytest.skip("needs root to make images")
    if which("buildah") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("buildah is not installed")
    store = Store(tmp_path / "store")
    yield store
    store.buildah("rmi", "--all", "--force")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An archive of a root with one file."""
    (tmp_path / "file").write_text("content\n")
    with tarfile.open(tmp_path / "root.tar", "w") as archive:
        archive.add(tmp_path / "file", "file")
    return tmp_path / "root.tar"


def test_an_image_that_was_added_is_found_by_the_same_id(store: Store, root: Path) -> None:
    added = store.add(root, NAME)

    assert store.find(NAME) == added
    assert store.find("localhost/other:1") is None


def test_an_image_from_an_archive_has_the_id_it_had(store: Store, root: Path, tmp_path: Path) -> None:
    added = store.add(root, NAME)
    store.save(NAME, tmp_path / "image.tar", NAME)

    assert store.pull(f"oci-archive:{tmp_path / 'image.tar'}", newer=False) == added
    assert len(store.inspect(added)["rootfs"]["diff_ids"]) == 1
