"""Requests about files over a socket, for a folder as the target's root; what odd files and sessions do."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from agent_kit import content, entries, failing
from agent_service import serve
from mirrord_agent.files.driver import Files, Found, OpenFile
from mirrord_agent.files.requests import driver
from mirrord_protocol.client import Client, RemoteError
from mirrord_protocol.messages import decode_chunks
from mirrord_protocol.values import Form, OpenFlag

NUMBERS = b"".join(number.to_bytes(4, "big") for number in range(1 << 20))  # 4 MiB


def put(root: Path, name: str, data: bytes = b"") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


# ---------------------------------------------------------------------------------------------- round trips


def test_each_question_takes_one_round_trip(tmp_path: Path) -> None:
    put(tmp_path, "file", b"content")
    (tmp_path / "link").symlink_to("file")

    async def block(client: Client) -> None:
        assert (await client.stat(b"/link")).size == 7
        assert (await client.stat(b"/link", follow=False)).size == 4
        assert await client.readlink(b"/link") == b"file"
        assert await client.realpath(b"/./link") == b"/file"
        assert (await client.file_system(b"/")).block_size == os.statvfs(tmp_path).f_bsize
        assert await content(client, b"/file") == b"content"
        assert [entry.name for entry in await entries(client, b"/")][:2] == [b".", b".."]
        assert client.round_trips == 7

    serve(tmp_path, block)


def test_forms(tmp_path: Path) -> None:
    put(tmp_path, "folder/small", NUMBERS[:1000])
    put(tmp_path, "folder/large", NUMBERS)
    os.mkfifo(tmp_path / "folder/fifo")

    async def block(client: Client) -> None:
        for path, flags, form, complete in (
            (b"/folder/small", OpenFlag(0), Form.WHOLE, True),
            (b"/folder/large", OpenFlag(0), Form.LARGE, False),
            (b"/folder/fifo", OpenFlag(0), Form.STREAM, False),
            (b"/folder", OpenFlag.DIRECTORY, Form.DIRECTORY, False),
            (b"/folder/large", OpenFlag.PATH_ONLY, Form.NOTHING, False),
        ):
            file = await client.open(path, flags=flags)
            assert (file.opened.form, file.opened.complete) == (form, complete)
            file.close()

    serve(tmp_path, block)


def test_large_files_and_reads(tmp_path: Path) -> None:
    put(tmp_path, "large", NUMBERS)

    async def block(client: Client) -> None:
        file = await client.open(b"/large", head=1000)
        assert await file.data.receive_all() == NUMBERS[:1000]
        for offset, length in (
            (0, 1 << 22),
            (5, 1 << 20),
            (len(NUMBERS) - 3, 100),
            (len(NUMBERS), 1),
            (1 << 62, 7),
            (0, 0),
        ):
            assert await file.read(offset, length).receive_all() == NUMBERS[offset : offset + length]
        assert await file.read(0, (1 << 32) - 1).receive_all() == NUMBERS
        assert await failing(file.read((1 << 64) - 1, 1).receive_all()) == "EINVAL"
        file.close()
        assert await failing(file.read(0, 1).receive_all()) == "EBADF"
        assert await failing(client.read(999_999, 0, 1).receive_all()) in {"EBADF", "PROTOCOL"}

    serve(tmp_path, block)


def test_a_whole_file_larger_than_a_chunk(tmp_path: Path) -> None:
    put(tmp_path, "middle", NUMBERS[:700_000])

    async def block(client: Client) -> None:
        assert await content(client, b"/middle") == NUMBERS[:700_000]

    serve(tmp_path, block)


def test_what_a_directory_cannot(tmp_path: Path) -> None:
    put(tmp_path, "file")

    async def block(client: Client) -> None:
        folder = await client.open(b"/", flags=OpenFlag.DIRECTORY)
        assert await failing(folder.read(0, 1).receive_all()) == "EISDIR"
        assert await failing(client.list(b"/file")) == "ENOTDIR"
        assert await failing(client.open(b"/file", flags=OpenFlag.DIRECTORY)) == "ENOTDIR"
        assert await failing(client.stat(b"/file/below")) == "ENOTDIR"
        assert await failing(client.readlink(b"/file")) == "EINVAL"

    serve(tmp_path, block)


def test_paths_that_are_none(tmp_path: Path) -> None:
    async def block(client: Client) -> None:
        for path, name in (
            (b"", "ENOENT"), (b"relative", "EINVAL"), (b"/a\0b", "EINVAL"), (b"/" + b"x" * 256, "ENAMETOOLONG"),
            (b"/x" * 2048, "ENAMETOOLONG"), (b"/x" * 30_000, "ENAMETOOLONG"), (b"/\xff\xfe", "ENOENT"),
        ):  # fmt: skip
            for call in (client.stat, client.open, client.list, client.readlink, client.realpath, client.file_system):
                assert await failing(call(path)) == name, (call, path[:20])

    serve(tmp_path, block)


# ---------------------------------------------------------------------------------------------- files that change


def slow_reads(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> None:
    """Let something happen to the file after its beginning was read."""
    read, done = OpenFile.read, threading.Event()

    def changing(self: OpenFile, offset: int, length: int, *, cached: bool = False) -> bytes:
        data = read(self, offset, length, cached=cached)
        if data and not done.is_set():
            done.set()
            change()
        return data

    monkeypatch.setattr(OpenFile, "read", changing)


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, "file", NUMBERS[:600_000])
    slow_reads(monkeypatch, lambda: os.truncate(path, 300_000))

    async def block(client: Client) -> None:
        assert await content(client, b"/file") == NUMBERS[:300_000]

    serve(tmp_path, block)


def test_a_file_that_grows_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes is what the stat says."""
    path = put(tmp_path, "file", NUMBERS[:600_000])
    slow_reads(monkeypatch, lambda: path.write_bytes(NUMBERS))

    async def block(client: Client) -> None:
        file = await client.open(b"/file")
        assert file.opened.stat.size == 600_000
        assert await file.data.receive_all() == NUMBERS[:600_000]

    serve(tmp_path, block)


def test_a_deleted_file_is_read_on(tmp_path: Path) -> None:
    path = put(tmp_path, "file", NUMBERS)

    async def block(client: Client) -> None:
        file = await client.open(b"/file")
        path.unlink()
        assert await file.read(1 << 21, 1 << 21).receive_all() == NUMBERS[1 << 21 :]

    serve(tmp_path, block)


# ---------------------------------------------------------------------------------------------- streams


def test_a_fifo_is_passed_on_as_it_comes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    async def block(client: Client) -> None:
        file = await client.open(b"/fifo")
        writer = os.open(tmp_path / "fifo", os.O_WRONLY)
        for text in (b"one", b"two"):
            os.write(writer, text)
            assert await anext(file.data) == text
        assert await failing(file.read(0, 1).receive_all()) == "ESPIPE"
        os.close(writer)
        assert await file.data.receive_all() == b""
        file.close()

    serve(tmp_path, block)


def test_fifos_that_nobody_writes_to_park_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    put(tmp_path, "file", b"x")

    async def block(client: Client) -> None:
        fifos = [await client.open(b"/fifo") for _ in range(200)]
        assert await content(client, b"/file") == b"x"
        for fifo in fifos:
            fifo.close()
        assert await content(client, b"/file") == b"x"

    serve(tmp_path, block)


def test_a_device_without_end_is_bound_by_credit() -> None:
    async def block(client: Client) -> None:
        zero = await client.open(b"/dev/zero", head=100_000)
        assert await anext(zero.data)
        zero.close()
        null = await client.open(b"/dev/null")
        assert await null.data.receive_all() == b""

    serve(Path("/"), block)


def test_proc_is_read_by_request() -> None:
    async def block(client: Client) -> None:
        file = await client.open(b"/proc/version")
        assert file.opened.form == Form.REQUEST
        whole = await file.read(0, 4096).receive_all()
        assert whole.startswith(b"Linux version")
        assert await file.read(6, 7).receive_all() == b"version"
        assert await failing(client.open(b"/proc/self/nothing")) == "ENOENT"

    serve(Path("/"), block)


# ---------------------------------------------------------------------------------------------- listings


def test_a_long_listing_with_little_credit(tmp_path: Path) -> None:
    for number in range(700):
        put(tmp_path, f"many/{number:0100}")

    async def block(client: Client) -> None:
        seen = [entry.name for entry in await entries(client, b"/many")]
        assert seen[:2] == [b".", b".."]
        assert sorted(seen[2:]) == sorted(os.listdir(os.fsencode(tmp_path / "many")))
        left = await client.list(b"/many")
        left.close()
        assert len(await entries(client, b"/many")) == 702

    serve(tmp_path, block)


def test_a_watched_listing_tells_of_a_change(tmp_path: Path) -> None:
    put(tmp_path, "folder/file")

    async def block(client: Client) -> None:
        listing = await client.list(b"/folder", watch=True)
        assert listing.listed.watched
        assert [entry.name for entry in decode_chunks(await listing.data.receive_all())] == [b".", b"..", b"file"]
        put(tmp_path, "folder/new")
        await listing.wait_changed()
        again = await client.list(b"/folder", watch=True)
        again.close()
        put(tmp_path, "folder/newer")
        assert len(await entries(client, b"/folder")) == 5

    serve(tmp_path, block)


def test_a_listing_that_changes_before_it_has_come(tmp_path: Path) -> None:
    for number in range(600):
        put(tmp_path, f"many/{number:0200}")

    async def block(client: Client) -> None:
        listing = await client.list(b"/many", watch=True)
        assert listing.listed.watched
        put(tmp_path, "many/new")
        await listing.wait_changed()
        assert len(list(decode_chunks(await listing.data.receive_all()))) in {602, 603}

    serve(tmp_path, block)


def test_where_changes_cannot_be_seen(tmp_path: Path) -> None:
    put(tmp_path, "folder/file")
    (tmp_path / "link").symlink_to("folder")

    async def block(client: Client) -> None:
        assert not (await client.list(b"/link", watch=True)).listed.watched
        assert not (await client.list(b"/folder")).listed.watched

    serve(tmp_path, block)


# ---------------------------------------------------------------------------------------------- limits


def test_too_many_handles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "HANDLES", 5)
    put(tmp_path, "large", NUMBERS)
    put(tmp_path, "small", b"x")

    async def block(client: Client) -> None:
        files = [await client.open(b"/large", head=0) for _ in range(5)]
        for call in (client.open(b"/large"), client.list(b"/")):
            assert await failing(call) == "EMFILE"
        assert (await client.stat(b"/small")).size == 1
        files.pop().close()
        for _ in range(10):  # whole files keep no handle
            assert await content(client, b"/small") == b"x"

    serve(tmp_path, block)


def test_many_at_once(tmp_path: Path) -> None:
    for number in range(50):
        put(tmp_path, f"{number}", b"%d" % number * number)

    async def block(client: Client) -> None:
        async def one(number: int) -> None:
            for path in (b"/%d" % number, b"/nothing"):
                try:
                    assert await content(client, path) == b"%d" % number * number
                except RemoteError as error:
                    assert error.failure.errno == "ENOENT" and path == b"/nothing"  # noqa: PT017

        async with trio.open_nursery() as nursery:
            for number in range(50):
                for _ in range(10):
                    nursery.start_soon(one, number)

    serve(tmp_path, block)


def test_an_open_that_has_to_wait_stalls_nobody_else(tmp_path: Path) -> None:
    """A lease, as file servers take them: whoever opens the file waits until its holder gives it back."""
    leased = put(tmp_path, "leased", b"mine")
    put(tmp_path, "file", b"x")
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # the kernel asks the holder for it by this

    async def block(client: Client) -> None:
        with leased.open("r+b") as holder:
            fcntl.fcntl(holder, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            async with trio.open_nursery() as nursery:

                async def wait_for_it() -> None:
                    got.append(await content(client, b"/leased"))

                got: list[bytes] = []
                for _ in range(5):
                    nursery.start_soon(wait_for_it)
                for _ in range(5):
                    assert await content(client, b"/file") == b"x"
                    assert len(await entries(client, b"/")) == 4
                assert got == []
                fcntl.fcntl(holder, fcntl.F_SETLEASE, fcntl.F_UNLCK)
            assert got == [b"mine"] * 5

    try:
        serve(tmp_path, block)
    finally:
        signal.signal(signal.SIGIO, before)


def test_what_is_closed_while_a_thread_opens_it_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`serve` sees to it that no descriptor is left."""
    put(tmp_path, "file", NUMBERS)
    go, opened = threading.Event(), threading.Event()
    open_ = Files.open

    def slow(self: Files, *arguments: object, cached: bool = False) -> Found:
        if cached:
            raise BlockingIOError
        go.wait(30)
        try:
            return open_(self, *arguments)  # type: ignore[arg-type]
        finally:
            opened.set()

    monkeypatch.setattr(Files, "open", slow)

    async def block(client: Client) -> None:
        with trio.move_on_after(0.05):
            await client.open(b"/file")
        await client.stat(b"/file")
        go.set()
        await trio.to_thread.run_sync(opened.wait, 30)
        monkeypatch.setattr(Files, "open", open_)
        for _ in range(3):  # the thread goes through its last lines meanwhile
            await content(client, b"/file")

    serve(tmp_path, block)
