"""Real agents for real targets: which rights an agent keeps, what it sees with them, and whom it is refused."""

from __future__ import annotations

import os
import socket
import stat

import pytest

import agent_kit
from agent_kit import NOBODY, failing, needs_root, play, refusal, start_agent, start_target, talk
from mirrord_agent.kernel.layouts import CAP_SYS_PTRACE
from mirrord_agent.target.machine import FILE_CAPABILITIES, NETWORK_CAPABILITIES
from mirrord_protocol.client import Client
from mirrord_protocol.values import FailureKind, Stat

R, W, X = os.R_OK, os.W_OK, os.X_OK


def ids(agent: agent_kit.Agent) -> tuple[list[int], list[int]]:
    status = agent.status()
    return list(map(int, status["Uid"].split())), list(map(int, status["Gid"].split()))


def capabilities(agent: agent_kit.Agent) -> int:
    status = agent.status()
    assert status["CapEff"] == status["CapPrm"]
    assert int(status["CapInh"], 16) == int(status["CapAmb"], 16) == 0
    return int(status["CapEff"], 16)


def locked(agent: agent_kit.Agent) -> bool:
    """Whether it can't get rights back, and others of its user can't look into it."""
    return agent.status()["NoNewPrivs"] == "1" and os.stat(f"/proc/{agent.process.pid}/environ").st_uid == 0


async def nothing(client: Client) -> None:
    pass


async def shadow(client: Client) -> Stat:
    return await client.stat(b"/etc/shadow")


@needs_root
def test_roots_target() -> None:
    with start_target() as target, start_agent(target.pid) as agent:
        assert ids(agent) == ([0] * 4, [0] * 4)
        assert not capabilities(agent) & ~(FILE_CAPABILITIES | 1 << CAP_SYS_PTRACE | NETWORK_CAPABILITIES)
        assert locked(agent)
        assert talk(agent, shadow).allowed == R | W


@needs_root
def test_an_ordinary_users_target() -> None:
    async def block(client: Client) -> None:
        assert (client.welcome.target.uid, client.welcome.target.gid) == (1234, 1234)
        assert (await client.stat(b"/etc/passwd")).allowed == R
        assert (await shadow(client)).allowed == 0
        assert await failing(client.open(b"/etc/shadow")) == "EACCES"
        assert await failing(client.stat(b"/proc/1/root/etc")) in {"EACCES", "ENOENT"}
        assert await client.readlink(b"/proc/self") == b"%d" % client.welcome.target.pid
        assert await client.readlink(b"/proc/self/cwd") == os.fsencode(os.getcwd())

    with start_target("--user=1234", "--groups", "5", "6") as target, start_agent(target.pid) as agent:
        assert ids(agent) == ([1234] * 4, [1234] * 4)
        assert agent.status()["Groups"].split() == ["5", "6"]
        assert capabilities(agent) == NETWORK_CAPABILITIES  # which is no right over files
        assert locked(agent)
        talk(agent, block)


@needs_root
def test_what_its_user_may_do_with_files() -> None:
    async def block(client: Client) -> None:
        for path, allowed in ((b"/srv/own", R), (b"/srv/group", W), (b"/srv/others", X), (b"/srv/names", R | W)):
            assert (await client.stat(path)).allowed == allowed, path
        for path in (b"/srv/group", b"/srv/others", b"/srv/names/file"):
            assert await failing(client.open(path)) == "EACCES", path
        assert await agent_kit.content(client, b"/srv/own") == b"own"
        found = {entry.name: entry for entry in await agent_kit.entries(client, b"/srv")}
        assert found[b"group"].stat and found[b"group"].stat.allowed == W
        listed = await agent_kit.entries(client, b"/srv/names")
        assert listed[-1].name == b"file" and listed[-1].stat is None
        assert await failing(client.list(b"/srv/shut")) == "EACCES"

    with start_target("--user=1234", "--groups", "5", "--isolated") as target:
        os.chown(target.write("/srv/own", b"own", mode=0o400), 1234, 0)
        os.chown(target.write("/srv/group", mode=0o620), 0, 5)
        os.chmod(target.path("/srv/group"), 0o620)
        target.write("/srv/others", mode=0o661)
        target.write("/srv/names/file")
        os.chmod(target.path("/srv/names"), 0o766)
        target.write("/srv/shut/file")
        os.chmod(target.path("/srv/shut"), 0o711)
        play(target, block)


@needs_root
def test_a_target_in_a_users_namespace_served_by_root() -> None:
    """The agent has the target's powers within that namespace, and none outside."""

    async def block(client: Client) -> None:
        assert client.welcome.target.uid == 0  # as the target sees it
        assert client.welcome.target.hostname == b"shop"
        assert (await client.stat(b"/srv")).uid == 0

    arguments = (f"--user={NOBODY}", "--user-namespace=mapped", "--isolated", "--hostname=shop")
    with start_target(*arguments) as target, start_agent(target.pid) as agent:
        assert ids(agent) == ([NOBODY] * 4, [NOBODY] * 4)
        assert os.path.samefile(f"/proc/{agent.process.pid}/ns/user", f"/proc/{target.pid}/ns/user")
        assert locked(agent)
        talk(agent, block)


@needs_root
def test_a_target_whose_namespace_maps_nobody() -> None:
    with start_target(f"--user={NOBODY}", "--user-namespace=unmapped") as target, start_agent(target.pid) as agent:
        assert ids(agent) == ([NOBODY] * 4, [NOBODY] * 4)
        assert talk(agent, shadow).allowed == 0


@needs_root
@pytest.mark.parametrize("namespaces", [(), ("--user-namespace=unmapped",)])
def test_an_ordinary_user_serves_own_processes(namespaces: tuple[str, ...]) -> None:
    with start_target(f"--user={NOBODY}", *namespaces) as target, start_agent(target.pid, user=NOBODY) as agent:
        assert ids(agent)[0] == [NOBODY] * 4
        assert locked(agent)
        assert talk(agent, shadow).allowed == 0


def test_an_ordinary_user_serves_an_own_namespace() -> None:
    async def block(client: Client) -> None:
        assert (client.welcome.target.uid, client.welcome.target.hostname) == (0, b"shop")
        assert await agent_kit.content(client, b"/srv/closed") == b"x"
        assert stat.S_IMODE((await client.stat(b"/srv/closed")).mode) == 0

    user = NOBODY if agent_kit.IS_ROOT else None
    become = [f"--user={NOBODY}"] if agent_kit.IS_ROOT else []
    with start_target(*become, "--user-namespace=mapped", "--isolated", "--hostname=shop") as target:
        play(target, block, user=user)


@needs_root
def test_somebody_elses_process() -> None:
    with start_target("--user=1234") as target, start_agent(target.pid, user=NOBODY) as agent:
        failure = refusal(agent)

    assert failure.kind == FailureKind.FORBIDDEN
    assert str(target.pid) in failure.text
    assert "belongs to user 1234" in failure.text
    assert "as root or as the same user" in failure.text
    assert agent.log[0]["event"] == "the target can't be served"


@needs_root
def test_a_process_that_hides_from_its_own_user() -> None:
    with start_target(f"--user={NOBODY}", "--private") as target:
        with start_agent(target.pid, user=NOBODY) as agent:
            assert "run mirrord as root" in refusal(agent).text
        with start_agent(target.pid) as agent:
            assert talk(agent, shadow).allowed == 0


@needs_root
def test_a_target_in_a_folder_of_ours(tmp_path_factory: pytest.TempPathFactory) -> None:
    """After chroot: its paths begin at its root, and nothing leads out of it."""

    async def block(client: Client) -> None:
        assert client.welcome.target.working_directory == b"/"
        assert await agent_kit.content(client, b"/file") == b"inside"
        assert await failing(client.open(b"/../../../etc/passwd")) == "ENOENT"
        assert await failing(client.open(b"/climb")) == "ENOENT"
        dots = (await agent_kit.entries(client, b"/"))[1]
        assert dots.inode == root.stat().st_ino

    root = tmp_path_factory.mktemp("jail")
    root.chmod(0o755)
    (root / "file").write_text("inside")
    (root / "climb").symlink_to("../../../../../../../../../etc/passwd")
    with start_target(f"--chroot={root}") as target:
        play(target, block)


def test_hostname(target: agent_kit.Target) -> None:
    async def block(client: Client) -> bytes:
        return client.welcome.target.hostname

    assert play(target, block) == b"shop"
    with start_target() as plain:
        assert play(plain, block) == os.fsencode(socket.gethostname())


def test_an_agent_ends_with_nothing_kept(target: agent_kit.Target) -> None:
    with start_agent(target.pid) as agent:
        talk(agent, nothing)
        assert agent.process.wait(30) == 0
