"""What is remembered: what a fact says about others, how long it holds, and that it is never what isn't true."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from mirrord_cli.session.cache import Cache, Listing
from mirrord_cli.session.paths import is_clean
from mirrord_protocol.values import Stat
from session_target import FakeTarget

TTL = 1.0


@pytest.fixture
def target() -> FakeTarget:
    made = FakeTarget()
    for folder in (b"/srv", b"/srv/app", b"/srv/app/sub"):
        made.put(folder, folder=True)
    made.put(b"/srv/app/file")
    made.put(b"/srv/app/link", link=b"file")
    made.put(b"/srv/app/gone", link=b"nowhere")
    return made


@pytest.fixture
def cache() -> Cache:
    return Cache(TTL)


def put_listing(cache: Cache, target: FakeTarget, path: bytes, watch: int | None = None, now: float = 0.0) -> None:
    answer = target.listing(path)
    assert not isinstance(answer, str)
    cache.put_listing(path, Listing(*answer), now, cache.begin(), watch)


def inode(found: Stat | str | None) -> int:
    assert isinstance(found, Stat)
    return found.inode


def test_facts_hold_for_the_time_to_live(cache: Cache, target: FakeTarget) -> None:
    file = target.stat(b"/srv/app/file")
    cache.put_stat(b"/srv/app/file", file, 5.0, cache.begin())
    cache.put_stat(b"/srv/app/no", "ENOENT", 5.0, cache.begin())
    cache.put_readlink(b"/srv/app/link", b"file", 5.0, cache.begin())
    cache.put_realpath(b"/srv/app/link", b"/srv/app/file", 5.0, cache.begin())

    def found(now: float) -> list[object]:
        return [
            cache.stat(b"/srv/app/file", now), cache.stat(b"/srv/app/no", now), cache.readlink(b"/srv/app/link", now),
            cache.realpath(b"/srv/app/link", now),
        ]  # fmt: skip

    assert found(5.9)[:3] == [file, "ENOENT", b"file"]
    assert found(6.0) == [None] * 4


def test_a_time_to_live_of_nothing_keeps_nothing(target: FakeTarget) -> None:
    cache = Cache(0)
    cache.put_stat(b"/srv", target.stat(b"/srv"), 0, cache.begin())
    put_listing(cache, target, b"/srv", watch=7)

    assert not cache.keeps
    assert cache.stat(b"/srv", 0) is None
    assert cache.listing(b"/srv", 0) is None
    assert cache.take_unneeded() == [7]
    assert cache.take_unneeded() == []


def test_an_absent_directory_has_nothing_in_it(cache: Cache) -> None:
    cache.put_stat(b"/srv/x", "ENOENT", 0, cache.begin())

    for path in (b"/srv/x/y", b"/srv/x/y/z", b"/srv/x/", b"/srv//x/./y"):
        assert cache.stat(path, 0) == "ENOENT"
        assert cache.readlink(path, 0) == "ENOENT"
        assert cache.realpath(path, 0) == "ENOENT"
        assert cache.listing(path, 0) == "ENOENT"
    assert cache.stat(b"/srv/xy", 0) is None
    assert cache.stat(b"/srv/x/../y", 0) is None


@pytest.mark.parametrize("errno", ["ENOTDIR", "EACCES", "ELOOP"])
def test_what_can_not_be_passed_stops_all_behind_it(cache: Cache, errno: str) -> None:
    cache.put_stat(b"/srv/x", errno, 0, cache.begin())

    assert cache.stat(b"/srv/x/y", 0) == errno


@pytest.mark.parametrize("errno", ["EIO", "EMFILE", "ENOMEM", "ESTALE"])
def test_what_happened_to_go_wrong_is_not_remembered(cache: Cache, errno: str) -> None:
    cache.put_stat(b"/srv/x", errno, 0, cache.begin())
    cache.put_listing(b"/srv/x", errno, 0, cache.begin())

    assert cache.stat(b"/srv/x", 0) is None
    assert cache.listing(b"/srv/x", 0) is None


def test_a_file_has_nothing_in_it(cache: Cache, target: FakeTarget) -> None:
    cache.put_stat(b"/srv/app/file", target.stat(b"/srv/app/file"), 0, cache.begin())

    assert cache.stat(b"/srv/app/file/x", 0) == "ENOTDIR"
    assert cache.stat(b"/srv/app/file/", 0) == "ENOTDIR"
    assert cache.listing(b"/srv/app/file", 0) == "ENOTDIR"


def test_a_stat_of_a_link_itself_is_not_of_what_it_leads_to(cache: Cache, target: FakeTarget) -> None:
    for path in (b"/srv/app/link", b"/srv/app/file"):
        cache.put_stat(path, target.stat(path, follow=False), 0, cache.begin(), follow=False)

    assert cache.stat(b"/srv/app/link", 0) is None
    assert inode(cache.stat(b"/srv/app/link", 0, follow=False)) == inode(target.stat(b"/srv/app/link", follow=False))
    assert cache.stat(b"/srv/app/link/", 0, follow=False) is None
    assert cache.stat(b"/srv/app/file", 0) == target.stat(b"/srv/app/file")
    assert cache.readlink(b"/srv/app/file", 0) == "EINVAL"
    assert cache.readlink(b"/srv/app/link", 0) is None


def test_a_listing_says_what_its_entries_are(cache: Cache, target: FakeTarget) -> None:
    put_listing(cache, target, b"/srv/app")

    assert cache.stat(b"/srv/app", 0) == target.stat(b"/srv/app")
    assert cache.stat(b"/srv/app/file", 0) == target.stat(b"/srv/app/file")
    assert cache.stat(b"/srv/app/sub/", 0) == target.stat(b"/srv/app/sub")
    assert cache.stat(b"/srv/app/link", 0, follow=False) == target.stat(b"/srv/app/link", follow=False)
    assert cache.stat(b"/srv/app/link", 0) is None
    assert cache.stat(b"/srv/app/gone", 0) is None
    assert cache.stat(b"/srv/app/file/x", 0) == "ENOTDIR"
    assert cache.stat(b"/srv/app/sub/x", 0) is None
    assert cache.readlink(b"/srv/app/file", 0) == "EINVAL"
    found = cache.listing(b"/srv//app/", 0)
    assert isinstance(found, Listing)


def test_only_a_watched_listing_says_what_is_not_there(cache: Cache, target: FakeTarget) -> None:
    """Others may be of file systems that don't list all they have, as /proc."""
    put_listing(cache, target, b"/srv/app")
    assert cache.stat(b"/srv/app/no", 0) is None

    put_listing(cache, target, b"/srv/app", watch=1)
    assert cache.stat(b"/srv/app/no", 0) == "ENOENT"
    assert cache.stat(b"/srv/app/no/x", 0) == "ENOENT"
    assert cache.stat(b"/srv/app/FILE", 0) is None  # it may not care for case
    assert cache.stat(b"/srv/app/" + b"x" * 256, 0) is None
    assert cache.realpath(b"/srv/app/file", 0) == b"/srv/app/file"
    assert cache.realpath(b"/srv/app", 0) == b"/srv/app"


def test_a_directory_that_may_not_be_searched_says_nothing_of_entries(cache: Cache, target: FakeTarget) -> None:
    target.forbid(b"/srv/app")
    put_listing(cache, target, b"/srv/app", watch=1)

    assert cache.stat(b"/srv/app/file", 0) is None
    assert cache.stat(b"/srv/app/no", 0) is None


def test_what_a_watch_covers_holds_until_it_tells(cache: Cache, target: FakeTarget) -> None:
    cache.put_stat(b"/srv/app/sub/deep", "ENOENT", 0, cache.begin())
    put_listing(cache, target, b"/srv/app", watch=1)
    cache.put_readlink(b"/srv/app/link", b"file", 0, cache.begin())
    cache.put_stat(b"/srv/app/link", target.stat(b"/srv/app/file"), 0, cache.begin())

    assert cache.stat(b"/srv/app/file", 99) == target.stat(b"/srv/app/file")
    assert cache.readlink(b"/srv/app/link", 99) == b"file"
    assert cache.stat(b"/srv/app/link", 0.5) == target.stat(b"/srv/app/file")
    assert cache.stat(b"/srv/app/link", 99) is None  # where it leads is not watched
    assert cache.stat(b"/srv/app/sub/deep", 99) is None

    cache.changed(1)

    assert cache.stat(b"/srv/app/file", 0) is None
    assert cache.readlink(b"/srv/app/link", 0) is None
    assert cache.stat(b"/srv/app/sub/deep", 0) == "ENOENT"
    assert cache.take_unneeded() == []
    cache.changed(1)


def test_what_was_asked_before_the_watch_is_not_covered(cache: Cache, target: FakeTarget) -> None:
    early = cache.begin()
    put_listing(cache, target, b"/srv/app", watch=1)
    cache.put_readlink(b"/srv/app/link", b"file", 0, early)

    assert cache.readlink(b"/srv/app/link", 0.5) == b"file"
    assert cache.readlink(b"/srv/app/link", 99) is None


def test_listings_and_facts_have_limits(target: FakeTarget) -> None:
    size = len(target.listing(b"/srv/app")[1])
    cache = Cache(TTL, facts=3, listings=2, room=2 * size)
    for number in range(4):
        cache.put_stat(b"/%d" % number, "ENOENT", 0, cache.begin())
    assert [cache.stat(b"/%d" % number, 0) for number in range(4)] == [None, "ENOENT", "ENOENT", "ENOENT"]

    put_listing(cache, target, b"/srv/app", watch=1)
    put_listing(cache, target, b"/srv", watch=2)
    put_listing(cache, target, b"/", watch=3)
    assert cache.take_unneeded() == [1]
    put_listing(cache, target, b"/srv", watch=4)
    assert cache.take_unneeded() == [2]
    assert cache.stat(b"/srv/app/file", 99) is None
    assert cache.stat(b"/no", 99) == "ENOENT"


def test_a_listing_that_is_none_is_no_harm(cache: Cache, target: FakeTarget) -> None:
    cache.put_listing(b"/srv", Listing(target.root.stat, b"\1" * 40), 0, cache.begin(), 1)

    assert cache.stat(b"/srv/app", 0) is None
    assert cache.stat(b"/srv", 0) == target.root.stat


# ---------------------------------------------------------------------------------------------- truth

KINDS = ["stat", "lstat", "readlink", "realpath", "listing", "listing"]
LINKS = [b"/a", b"b", b"../A", b"/a/b", b"a"]


class Chance:
    """Random paths, questions and changes: few names, so that they meet."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.choose = self._random.choice

    def clean_path(self) -> bytes:
        return b"/" + b"/".join(self.choose([b"a", b"a", b"b", b"A"]) for _ in range(self.choose([1, 2, 2, 3])))

    def path(self) -> bytes:
        if self.choose(range(4)):
            return self.clean_path()
        names = [self.choose([b"a", b"b", b"..", b".", b""]) for _ in range(self.choose(range(4)))]
        return b"/" + b"/".join([*names, self.choose([b"a", b"", b"."])])

    def question(self) -> tuple[str, bytes]:
        return self.choose(KINDS), self.path()

    def change(self, target: FakeTarget) -> None:
        path = self.clean_path()
        match self.choose([*["put"] * 6, *["folder"] * 6, "link", "link", "remove", "move", "move", "forbid"]):
            case "put":
                target.put(path)
            case "folder":
                target.put(path, folder=True)
            case "link":
                target.put(path, link=self.choose(LINKS))
            case "remove":
                target.remove(path)
            case "move":
                target.move(path, self.clean_path())
            case "forbid":
                target.forbid(path)


class World:
    """A session whose cache is asked first, and an agent that knows the truth; answers may come late."""

    def __init__(self, time_to_live: float) -> None:
        self.target = FakeTarget()
        self.cache = Cache(time_to_live, listings=4)
        self.now = 0.0
        self.watches: dict[int, tuple[bytes, object]] = {}
        self.late: list[tuple[int, Callable[[], None]]] = []
        self.number = 0

    def truth(self, kind: str, path: bytes) -> Any:
        if kind in {"stat", "lstat"}:
            return self.target.stat(path, follow=kind == "stat")
        return getattr(self.target, kind)(path)

    def known(self, kind: str, path: bytes) -> Any:
        if kind in {"stat", "lstat"}:
            return self.cache.stat(path, self.now, follow=kind == "stat")
        found = getattr(self.cache, kind)(path, self.now)
        return (found.stat, found.data) if isinstance(found, Listing) else found

    def ask(self, kind: str, path: bytes, delay: int) -> None:
        """Ask the agent, whose answer is of now and arrives some steps later."""
        mark, answer = self.cache.begin(), self.truth(kind, path)
        watch: int | None = None
        if kind == "listing" and not isinstance(answer, str) and is_clean(path) and self.target.sight(path):
            self.number += 1
            watch = self.number
            self.watches[watch] = (path, self.target.sight(path))

        def arrive() -> None:
            if kind in {"stat", "lstat"}:
                self.cache.put_stat(path, answer, self.now, mark, follow=kind == "stat")
            elif kind != "listing":
                getattr(self.cache, f"put_{kind}")(path, answer, self.now, mark)
            elif isinstance(answer, str):
                self.cache.put_listing(path, answer, self.now, mark)
            else:
                self.cache.put_listing(path, Listing(*answer), self.now, mark, watch if watch in self.watches else None)

        self.late.append((delay, arrive))

    def change(self, chance: Chance) -> None:
        """Change the target; what a watch sees is told at once."""
        chance.change(self.target)
        for watch, (path, sight) in list(self.watches.items()):
            if self.target.sight(path) != sight:
                del self.watches[watch]
                self.cache.changed(watch)

    def step(self) -> None:
        """What is late comes nearer."""
        for watch in self.cache.take_unneeded():
            self.watches.pop(watch, None)
        due = [arrive for left, arrive in self.late if not left]
        self.late = [(left - 1, arrive) for left, arrive in self.late if left]
        for arrive in due:
            arrive()
        self.now += 1


@pytest.mark.parametrize("first", range(0, 120, 60))
def test_what_outlives_its_time_is_true_now(first: int) -> None:
    """All that isn't covered by a watch expires between two steps here."""
    known = 0
    for seed in range(first, first + 60):
        chance, world = Chance(seed), World(0.5)
        for _ in range(10):
            chance.change(world.target)
        for _ in range(150):
            kind, path = chance.question()
            if not chance.choose(range(10)):
                world.change(chance)
            elif (found := world.known(kind, path)) is not None:
                assert found == world.truth(kind, path), (seed, kind, path)
                known += 1
            else:
                world.ask(kind, path, chance.choose([0, 0, 0, 4, 8]))
            world.step()

    assert known > 1000


@pytest.mark.parametrize("first", range(0, 300, 150))
def test_one_fact_says_of_others_what_is_true(first: int) -> None:
    known = 0
    for seed in range(first, first + 150):
        chance, world = Chance(seed), World(1e9)
        for _ in range(15):
            chance.change(world.target)
        for _ in range(40):
            kind, path = chance.question()
            if (found := world.known(kind, path)) is not None:
                assert found == world.truth(kind, path), (seed, kind, path)
                known += 1
            else:
                world.ask(kind, path, 0)
            world.step()

    assert known > 1500
