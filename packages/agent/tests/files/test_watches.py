"""Watched listings: which event concerns whom, and what inotify really tells."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mirrord_agent.files.listing.driver import Listing
from mirrord_agent.files.walk.driver import Paths
from mirrord_agent.files.watches.driver import WATCHES_LIMIT, Watches
from mirrord_agent.files.watches.machine import Interest, Outcome, WatchTable
from mirrord_agent.kernel.layouts import (
    IN_ATTRIB,
    IN_CREATE,
    IN_DELETE_SELF,
    IN_IGNORED,
    IN_MODIFY,
    IN_MOVE_SELF,
    IN_Q_OVERFLOW,
    IN_UNMOUNT,
    O_PATH,
)
from mirrord_agent.workers.driver import Descriptor

# ---------------------------------------------------------------------------------------------- machine


@pytest.mark.parametrize(
    ("interest", "mask", "entry", "sees"),
    [
        (Interest.LISTED, IN_CREATE, True, True),
        (Interest.LISTED, IN_MODIFY, True, True),
        (Interest.LISTED, IN_ATTRIB, True, True),
        (Interest.LISTED, IN_ATTRIB, False, True),
        (Interest.LISTED, IN_MOVE_SELF, False, True),
        (Interest.ABOVE, IN_CREATE, True, False),
        (Interest.ABOVE, IN_ATTRIB, True, False),
        (Interest.ABOVE, IN_ATTRIB, False, True),
        (Interest.ABOVE, IN_DELETE_SELF, False, True),
        (Interest.FOLDER, IN_CREATE, True, True),
        (Interest.FOLDER, IN_MODIFY, True, False),
        (Interest.LINKED, IN_MODIFY, False, True),
        (Interest.ABOVE, IN_UNMOUNT, False, True),
        (Interest.LINKED, IN_IGNORED, False, True),
    ],
)
def test_what_concerns_a_listing(interest: Interest, mask: int, *, entry: bool, sees: bool) -> None:
    assert interest.sees(mask, entry=entry) is sees


def table() -> WatchTable:
    """Two listings below a common folder, 10."""
    table = WatchTable()
    for id_, own in ((1, 11), (2, 12)):
        table.begin(id_)
        table.add(id_, own, Interest.LISTED)
        table.add(id_, 10, Interest.ABOVE)
    return table


def test_an_event_concerns_those_that_depend_on_it() -> None:
    watches = table()
    assert watches.happened(11, IN_CREATE, entry=True) == Outcome(frozenset({1}), frozenset({11}))
    assert not watches.knows(1)
    assert watches.happened(11, IN_CREATE, entry=True) == Outcome()
    assert watches.happened(10, IN_CREATE, entry=True) == Outcome()
    assert watches.happened(10, IN_MOVE_SELF, entry=False) == Outcome(frozenset({2}), frozenset({10, 12}))
    assert len(watches) == 0


def test_a_watch_that_the_kernel_ended_is_not_removed_again() -> None:
    assert table().happened(10, IN_IGNORED, entry=False) == Outcome(frozenset({1, 2}), frozenset({11, 12}))


def test_lost_events_concern_all() -> None:
    assert table().happened(-1, IN_Q_OVERFLOW, entry=False) == Outcome(frozenset({1, 2}), frozenset({10, 11, 12}))


def test_a_listing_that_ends_leaves_what_others_need() -> None:
    watches = table()
    assert watches.count(1) == 2
    assert watches.drop(1) == Outcome(unused=frozenset({11}))
    assert watches.drop(1) == Outcome()
    assert watches.drop(2) == Outcome(unused=frozenset({10, 12}))


# ---------------------------------------------------------------------------------------------- driver


class Watched:
    """A listing of `/a/list` below a folder, watched."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "a/list"
        self._fd = os.open(root, O_PATH | os.O_DIRECTORY)
        self.paths = Paths(self._fd, process_ids=(), start=0, outside_root=b"/")
        self.watches = Watches()

    def watch(self) -> bool:
        """List it, and whether it is watched."""
        fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        listing = Listing(Descriptor(fd), self.paths, b"/a/list")
        listing.watch = self.watches.begin(1, self.paths, b"/a/list", fd)
        listing.begin()
        while not listing.ended:
            listing.next()
        listing.close()
        return listing.watch is not None and listing.watch.holds

    def changed(self) -> bool:
        return self.watches.read() == {1}

    def close(self) -> None:
        self.watches.close()
        os.close(self._fd)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    (tmp_path / "a/list/sub").mkdir(parents=True)
    (tmp_path / "a/list/file").write_text("one")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/linked").write_text("one")
    (tmp_path / "a/list/linked").hardlink_to(tmp_path / "elsewhere/linked")
    watched = Watched(tmp_path)
    yield watched
    watched.close()


CHANGES: dict[str, Callable[[Path], object]] = {
    "new": lambda root: (root / "a/list/new").touch(),
    "written": lambda root: (root / "a/list/file").write_text("two"),
    "deleted": lambda root: (root / "a/list/file").unlink(),
    "renamed": lambda root: (root / "a/list/file").rename(root / "elsewhere/file"),
    "mode": lambda root: (root / "a/list/file").chmod(0o600),
    "mode of the folder": lambda root: (root / "a/list").chmod(0o700),
    "moved away": lambda root: (root / "a/list").rename(root / "a/other"),
    "moved away above": lambda root: (root / "a").rename(root / "b"),
    "closed above": lambda root: (root / "a").chmod(0o700),
    "in a folder": lambda root: (root / "a/list/sub/new").touch(),
    "by another name": lambda root: (root / "elsewhere/linked").write_text("two"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_every_change_is_told(watched: Watched, change: Callable[[Path], object]) -> None:
    assert watched.watch()
    assert not watched.changed()

    change(watched.root)

    assert watched.changed()
    assert not watched.changed()


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "a/list/file").read_text(),
        lambda root: (root / "a/other").touch(),
        lambda root: (root / "elsewhere/other").touch(),
        lambda root: os.listdir(root / "a/list"),
    ],
    ids=["read", "beside", "elsewhere", "listed"],
)
def test_nothing_else_is_told(watched: Watched, change: Callable[[Path], object]) -> None:
    assert watched.watch()

    change(watched.root)

    assert watched.watches.read() == set()


def test_a_folder_with_too_many_folders_is_not_watched(watched: Watched) -> None:
    for number in range(WATCHES_LIMIT):
        (watched.folder / str(number)).mkdir()

    assert not watched.watch()
    (watched.folder / "new").touch()
    assert watched.watches.read() == set()


def test_a_path_that_means_another_folder_by_now(watched: Watched) -> None:
    fd = os.open(watched.root / "elsewhere", os.O_RDONLY)
    assert watched.watches.begin(1, watched.paths, b"/a/list", fd) is None
    os.close(fd)


def test_a_path_that_climbs_is_not_watched(watched: Watched) -> None:
    fd = os.open(watched.folder, os.O_RDONLY)
    assert watched.watches.begin(1, watched.paths, b"/a/list/../list", fd) is None
    os.close(fd)


def test_a_dropped_listing_hears_nothing(watched: Watched) -> None:
    assert watched.watch()
    watched.watches.drop(1)
    (watched.folder / "new").touch()

    assert watched.watches.read() == set()
