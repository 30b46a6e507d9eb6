"""Which stand-ins are kept, found again, and released first."""

from __future__ import annotations

from itertools import count

from mirrord_cli.session.filling import Filling
from mirrord_cli.session.standins.registry import Budget, Registry, StandIn, same_content
from mirrord_protocol.layer_values import LayerForm
from session_machine import FOLDER, status

numbers = count(1)


def make(path: bytes, size: int = 10, form: LayerForm = LayerForm.WHOLE) -> StandIn:
    made = StandIn(next(numbers), form, path, FOLDER if form is LayerForm.DIRECTORY else status(size))
    if form is LayerForm.FILLING:
        made.filling = Filling(size, 0, count(1))
    return made


def test_content_is_the_same_if_its_stat_says_so() -> None:
    assert same_content(status(1), status(1, allowed=3))
    assert not same_content(status(1), status(2))
    assert not same_content(status(1), status(1, version=2))
    assert not same_content(status(1), status(1, inode=2))


def test_found_by_path_and_identity() -> None:
    registry = Registry(Budget(10))
    file, folder = make(b"/a"), make(b"/d", form=LayerForm.DIRECTORY)
    registry.add(file, (1, 1))
    registry.add(folder, (2, 1))

    assert registry.file(b"/a", status(10)) is file
    assert registry.file(b"/a", status(11)) is None
    assert registry.file(b"/d", FOLDER) is None
    assert registry.directory(b"/d") is folder
    assert registry.identify(1, 1) is file
    assert registry.identify(1, 2) is None
    registry.let_go(file)
    assert registry.file(b"/a", status(10)) is None
    assert registry.identify(1, 1) is file
    registry.forget(file)
    assert registry.identify(1, 1) is registry.get(file.number) is None


def test_a_newer_one_takes_the_place() -> None:
    registry = Registry(Budget(10))
    old, new = make(b"/a"), make(b"/a", 11)
    assert registry.add(old, (1, 1)) is None

    assert registry.add(new, (1, 2)) is old
    assert registry.file(b"/a", status(11)) is new
    assert registry.identify(1, 1) is old
    registry.forget(old)
    assert registry.file(b"/a", status(11)) is new


def test_one_that_is_filling_stays_for_those_who_read_it() -> None:
    registry = Registry(Budget(10))
    old, new = make(b"/a", form=LayerForm.FILLING), make(b"/a", 11)
    registry.add(old, (1, 1))

    assert registry.add(new, (1, 2)) is None
    assert old.held
    assert registry.large() == [old]


def test_an_inode_that_was_used_again() -> None:
    """The news that the older object is gone may come after the number's next use."""
    registry = Registry(Budget(10))
    old, new = make(b"/a"), make(b"/b")
    registry.add(old, (1, 1))
    registry.let_go(old)
    registry.add(new, (1, 1))

    registry.forget(old)

    assert registry.identify(1, 1) is new


def test_budgets() -> None:
    registry = Registry(Budget(descriptors=3, memory=100, disk=50))
    files = [make(b"/%d" % number, 40) for number in range(2)]
    folder, large = make(b"/d", form=LayerForm.DIRECTORY), make(b"/large", 60, LayerForm.FILLING)
    for number, each in enumerate([*files, folder]):
        registry.add(each, (1, number))
    assert registry.excess() == []

    registry.file(b"/0", status(40))
    registry.add(large, (1, 9))
    assert registry.excess() == [files[1]]  # one too many; the file that fills can't go, though it is too large
    assert registry.excess() == []
    large.form = LayerForm.WHOLE
    assert registry.excess() == [large]
    registry.add(make(b"/more", 70), (1, 10))
    assert registry.excess() == [files[0]]
    assert registry.directory(b"/d") is folder
