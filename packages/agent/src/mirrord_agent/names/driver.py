"""Finds names and addresses as the target's own C library would: by its files and its servers.

The files are read below the target's root, and again when their stat has changed. What is asked of whom, and what the
answers amount to, is decided in the pure modules beside this one.
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Generic, TypeVar

import trio

from mirrord_agent.files.driver import Files
from mirrord_agent.names.config.machine import (
    Resolver,
    Status,
    parse_resolver,
    parse_services,
)
from mirrord_agent.names.hosts.machine import LOOPBACK4, LOOPBACK6, Hosts, parse_hosts
from mirrord_agent.names.machine import FILES_LIFETIME, Answer, Search, combine, is_localhost
from mirrord_agent.names.numeric import aton, scope_number, scoped, takes_interface, unmapped
from mirrord_agent.names.order.driver import interfaces, sources
from mirrord_agent.names.order.machine import configured, parse_tables, sort
from mirrord_agent.names.servers.driver import Servers
from mirrord_agent.names.servers.machine import answers, code, is_query, labels_of, question, renamed
from mirrord_agent.sockets.driver import Sockets
from mirrord_agent.workers.driver import Workers
from mirrord_protocol.failure import RemoteError
from mirrord_protocol.network_values import (
    Address,
    Families,
    NameOutcome,
    Query,
    Records,
    Resolve,
    Resolved,
    Reverse,
)
from mirrord_protocol.values import NO_FLAGS, Failure, FailureKind, Stat

FILE_LIMIT = 1 << 25
FRESH = 100_000_000
"""Nanoseconds after a change in which another one may leave the same times: what was read then isn't kept."""

T = TypeVar("T")


def load() -> None:
    """Have all modules ready, as if a name had been looked for: our rights may not suffice to read them later."""
    import mirrord_agent.names.wire.machine  # noqa: F401


class _File(Generic[T]):
    """A file of the target's, parsed, for as long as its stat is the same."""

    def __init__(self, path: bytes, parse: Callable[[bytes], T], files: Files, workers: Workers) -> None:
        self._path = path
        self._parse = parse
        self._files = files
        self._workers = workers
        self._seen: tuple[int, ...] | None = None
        self._value = parse(b"")

    async def get(self) -> T:
        """Return what the file says now; one that isn't there, or can't be read, is as an empty one."""
        try:
            seen = _identity(await self._stat())
            if seen != self._seen:
                self._seen, self._value = None, await self._workers.run(self._read)
                if time.time_ns() - max(seen[-2:]) > FRESH:
                    self._seen = seen
        except OSError:
            self._seen, self._value = None, self._parse(b"")
        return self._value

    async def _stat(self) -> Stat:
        try:
            return self._files.stat(self._path, follow=True, cached=True)
        except BlockingIOError:
            return await self._workers.run(lambda: self._files.stat(self._path, follow=True))

    def _read(self) -> T:
        found = self._files.open(self._path, NO_FLAGS, 0, 0)
        try:
            data = bytearray()
            while found.file and len(data) < FILE_LIMIT and (part := found.file.read(len(data), FILE_LIMIT)):
                data += part
        finally:
            found.close()
        return self._parse(bytes(data))


def _identity(stat: Stat) -> tuple[int, ...]:
    return stat.device, stat.inode, stat.size, stat.modified, stat.changed


class Names:
    """The names of one target."""

    def __init__(
        self,
        files: Files,
        workers: Workers,
        sockets: Sockets,
        *,
        hostname: bytes,
        variables: Mapping[bytes, bytes],
    ) -> None:
        self._sockets = sockets
        self._servers = Servers(sockets)
        self._hosts = _File(b"/etc/hosts", parse_hosts, files, workers)
        self._services = _File(b"/etc/nsswitch.conf", parse_services, files, workers)
        self._tables = _File(b"/etc/gai.conf", parse_tables, files, workers)
        self._resolver = _File(
            b"/etc/resolv.conf", lambda data: parse_resolver(data, hostname, variables), files, workers
        )

    # ------------------------------------------------------------------------------------------ addresses

    async def resolve(self, request: Resolve) -> Resolved:
        """Return a name's addresses."""
        if (numeric := _numeric(request)) is not None:
            return numeric
        families = request.families
        if request.configured_only:
            families = configured(interfaces(), families)
        if not families or not request.name or b"\0" in request.name:
            return Resolved(outcome=NameOutcome.NO_NAME, lifetime=1000)
        found = await self._look_up(
            lambda hosts: _in_hosts(hosts, request.name, families),
            lambda: self._in_dns(request.name, families),
        )
        name = found.name if request.canonical_name else b""
        return replace(found, addresses=await self._sorted(found.addresses), name=name)

    async def _sorted(self, addresses: tuple[Address, ...]) -> tuple[Address, ...]:
        """Return addresses in the order in which a program on the target would try them."""
        if len(addresses) < 2:
            return addresses
        tables = await self._tables.get()
        hosts = [address.host for address in addresses]
        found = sources([(host, 0) for host in hosts], self._sockets)
        return tuple(Address(host, 0) for host in sort(hosts, found, interfaces(), tables))

    async def _look_up(
        self, in_hosts: Callable[[Hosts], Resolved | None], in_dns: Callable[[], Awaitable[Resolved]]
    ) -> Resolved:
        """Ask the services of nsswitch.conf in their order; those that we don't have are passed over."""
        result = Resolved(outcome=NameOutcome.NO_NAME, lifetime=1000)
        for service in await self._services.get():
            status = Status.UNAVAILABLE
            if service.name == b"files":
                found = in_hosts(await self._hosts.get())
                status = Status.SUCCESS if found else Status.NOT_FOUND
                result = found or result
            elif service.name == b"dns":
                result = await in_dns()
                status = _status(result.outcome)
            if status in service.returns:
                break
        return result

    async def _in_dns(self, name: bytes, families: Families) -> Resolved:
        from mirrord_agent.names.wire.machine import AAAA, POSITIVE_LIMIT, A

        if is_localhost(name):
            if name.lower() in (await self._hosts.get()).by_name:  # but not with an address of these families
                return Resolved(outcome=NameOutcome.NO_NAME, lifetime=1000 * FILES_LIFETIME)
            both = [LOOPBACK6] * bool(families & Families.IPV6) + [LOOPBACK4] * bool(families & Families.IPV4)
            return _found(both, name, (), FILES_LIFETIME)
        resolver = await self._resolver.get()
        kinds = [A] * bool(families & Families.IPV4) + [AAAA] * bool(families & Families.IPV6 and not resolver.no_ipv6)
        search, lifetimes = Search(name, resolver), [POSITIVE_LIMIT]
        while (full := search.next()) is not None:
            answer, refused = await self._ask(labels_of(full), kinds, resolver)
            lifetimes.append(answer.lifetime)
            search.tell(answer, refused=refused)
            if answer.outcome == NameOutcome.FOUND:
                return _found(answer.values, answer.name, answer.aliases, min(lifetimes))
        # getaddrinfo(3) has no word for a server's refusal.
        outcome = NameOutcome.NO_NAME if search.outcome == NameOutcome.FAILED else search.outcome
        return Resolved(outcome=outcome, lifetime=1000 * min(lifetimes))

    async def _ask(
        self, labels: tuple[bytes, ...] | None, kinds: Sequence[int], resolver: Resolver
    ) -> tuple[Answer, bool]:
        """Ask for a name's records of some kinds, all at once; also return whether no server could be asked."""
        from mirrord_agent.names.wire.machine import question as query_for
        from mirrord_agent.names.wire.machine import read

        if labels is None:
            return Answer(NameOutcome.FAILED), False
        if not kinds:
            return Answer(NameOutcome.NO_DATA), False
        start, came, errors = secrets.randbits(16), dict.fromkeys(kinds), set[int]()

        async def ask(kind: int) -> None:
            query = query_for(labels, kind, extended=resolver.extended, trust_ad=resolver.trust_ad)
            try:
                came[kind] = read(await self._servers.ask(query, resolver, start=start))
            except OSError as error:
                errors.add(error.errno or errno.EIO)

        async with trio.open_nursery() as nursery:
            for kind in kinds:
                if resolver.one_by_one:
                    await ask(kind)
                else:
                    nursery.start_soon(ask, kind)
        return combine(list(came.values())), errors == {errno.ECONNREFUSED} and not any(came.values())

    # ------------------------------------------------------------------------------------------ names, messages

    async def reverse(self, request: Reverse) -> Resolved:
        """Return an address's names."""
        host = unmapped(request.address.host)
        if not host:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))

        def in_hosts(hosts: Hosts) -> Resolved | None:
            line = hosts.by_host.get(host)
            if line is None:
                return None
            lifetime = 1000 * FILES_LIFETIME
            return Resolved(outcome=NameOutcome.FOUND, name=line.name, aliases=line.aliases, lifetime=lifetime)

        async def in_dns() -> Resolved:
            from mirrord_agent.names.wire.machine import PTR, reverse_labels

            answer, _ = await self._ask(reverse_labels(host), [PTR], await self._resolver.get())
            name, *aliases = answer.values or (b"",)
            return Resolved(outcome=answer.outcome, name=name, aliases=tuple(aliases), lifetime=1000 * answer.lifetime)

        return await self._look_up(in_hosts, in_dns)

    async def query(self, request: Query) -> Records:
        """Return the answer to a question that a program wrote itself.

        Raises:
            RemoteError: it is no question.
            OSError: ETIMEDOUT if no server answered, ECONNREFUSED if none could be asked.
        """
        message = request.message
        if not is_query(message):
            raise RemoteError(Failure(FailureKind.PROTOCOL, None, "the message is not one question of DNS"))
        resolver = await self._resolver.get()
        if not request.search:
            return Records(await self._servers.ask(message, resolver))
        return Records(await self._search(message, resolver))

    async def _search(self, message: bytes, resolver: Resolver) -> bytes:
        """Ask for a name below each domain of the search list; return the answer that says how it ended."""
        found = question(message)
        assert found
        search = Search(b".".join(found[0]), resolver)
        best: dict[NameOutcome, bytes] = {}
        error: OSError | None = None
        while (full := search.next()) is not None:
            labels = labels_of(full)
            if labels is None:
                search.tell(Answer(NameOutcome.FAILED))
                continue
            try:
                answer = await self._servers.ask(renamed(message, labels), resolver)
            except OSError as caught:
                error = caught
                search.tell(Answer(NameOutcome.TRY_AGAIN), refused=caught.errno == errno.ECONNREFUSED)
                continue
            told = _told(answer)
            best.setdefault(told.outcome, answer)
            search.tell(told)
        if search.outcome in best:
            return best[search.outcome]
        raise error or OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))


def _in_hosts(hosts: Hosts, name: bytes, families: Families) -> Resolved | None:
    if (entry := hosts.find(name, families)) is None:
        return None
    return _found(entry.hosts, entry.name, entry.aliases, FILES_LIFETIME)


def _found(hosts: Sequence[bytes], name: bytes, aliases: tuple[bytes, ...], seconds: int) -> Resolved:
    return Resolved(
        outcome=NameOutcome.FOUND,
        addresses=tuple(Address(host, 0) for host in hosts),
        name=name,
        aliases=aliases,
        lifetime=1000 * seconds,
    )


def _told(message: bytes) -> Answer:
    """Return how an answer ends a search; what it says is its reader's business."""
    number = code(message)
    if number == 0:
        return Answer(NameOutcome.FOUND if answers(message) else NameOutcome.NO_DATA)
    outcome = {3: NameOutcome.NO_NAME, 2: NameOutcome.TRY_AGAIN}.get(number, NameOutcome.FAILED)
    return Answer(outcome, failure=outcome == NameOutcome.TRY_AGAIN)


def _numeric(request: Resolve) -> Resolved | None:
    """Return what a name that is an address means."""
    host, scope = aton(request.name), 0
    if host is None and (pair := scoped(request.name)) is not None:
        host, text = pair
        try:
            scope = _scope(host, text)
        except OSError:
            return Resolved(outcome=NameOutcome.NO_NAME)
    if host is None:
        return None
    if request.families == Families.IPV4:
        host = unmapped(host)
    family = Families.IPV4 if len(host) == 4 else Families.IPV6
    if family not in request.families:
        return Resolved(outcome=NameOutcome.NO_NAME)
    return Resolved(
        outcome=NameOutcome.FOUND,
        addresses=(Address(host, 0, scope),),
        name=request.name if request.canonical_name else b"",
        lifetime=1000,
    )


def _scope(host: bytes, text: bytes) -> int:
    """Return the number of a scope; raises OSError where there is no such interface, or the address takes none."""
    if not text:
        return 0
    if (number := scope_number(text)) is not None:
        return number
    if not takes_interface(host):
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
    return socket.if_nametoindex(os.fsdecode(text))


def _status(outcome: NameOutcome) -> Status:
    match outcome:
        case NameOutcome.FOUND:
            return Status.SUCCESS
        case NameOutcome.TRY_AGAIN:
            return Status.UNAVAILABLE  # as glibc's: its servers didn't answer
    return Status.NOT_FOUND
