"""What is decided about processes, mounts, control groups and rules, from texts as the kernel and its tools write them."""

from __future__ import annotations

import pytest

from tests.cluster.machine import (
    Act,
    Record,
    decide,
    hierarchies,
    mounts_below,
    new_enough,
    read_record,
    runs,
    start_time,
    without_ports,
)

RECORD = Record(77, 4711, "boot-1", "key-1")


def test_a_record_is_read_as_it_was_written() -> None:
    assert read_record(RECORD.text()) == RECORD


@pytest.mark.parametrize("text", ["", "77", "77 4711 boot-1", "x 4711 boot-1 key-1"])
def test_a_record_that_was_cut_off_is_none(text: str) -> None:
    assert read_record(text) is None


@pytest.mark.parametrize(
    ("start", "boot", "expected"),
    [
        (4711, "boot-1", True),
        (4712, "boot-1", False),  # another process has the number
        (None, "boot-1", False),  # nobody has it
        (4711, "boot-2", False),  # the machine was down
    ],
)
def test_a_daemon_is_known_by_its_start(start: int | None, boot: str, expected: bool) -> None:
    assert runs(RECORD, start, boot) is expected
    assert decide(RECORD, start, boot, "key-1") is (Act.KEEP if expected else Act.START)


def test_a_daemon_with_another_key_is_replaced() -> None:
    assert decide(RECORD, 4711, "boot-1", "key-2") is Act.REPLACE
    assert decide(None, None, "boot-1", "key-1") is Act.START


def test_the_start_of_a_process() -> None:
    stat = "7 (a ) (b) {} 1 7 7 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0"

    assert start_time(stat.format("S")) == 4711
    assert start_time(stat.format("Z")) is None


@pytest.mark.parametrize(
    ("version", "expected"),
    [("go1.24", True), ("go1.26.8", True), ("go2.0", True), ("go1.23.9", False), ("go1.19.8", False), ("", False)],
)
def test_go_is_new_enough(version: str, expected: bool) -> None:
    assert new_enough(version) is expected


MOUNTS = r"""
20 1 254:0 / / rw,relatime - ext4 /dev/vda rw
21 20 0:20 / /sys/fs/cgroup rw - tmpfs tmpfs rw
22 21 0:21 / /sys/fs/cgroup/pids rw shared:5 - cgroup cgroup rw,pids
23 21 0:22 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
24 20 254:0 /a /c\040d/run/mnt rw - ext4 /dev/vda rw
25 24 0:4 mnt:[4026532] /c\040d/run/mnt/namespace rw - nsfs nsfs rw
26 20 254:0 /a /c\040d/running rw - ext4 /dev/vda rw
""".strip()


def test_mounts_are_named_the_last_first() -> None:
    assert list(mounts_below(MOUNTS, "/c d/run")) == ["/c d/run/mnt/namespace", "/c d/run/mnt"]
    assert list(mounts_below(MOUNTS, "/c d/run/mnt/namespace")) == ["/c d/run/mnt/namespace"]


def test_processes_are_found_again_by_the_second_version_of_control_groups() -> None:
    assert hierarchies(MOUNTS) == (["/sys/fs/cgroup/pids", "/sys/fs/cgroup/unified"], "/sys/fs/cgroup/unified")


def test_else_by_any_of_the_first() -> None:
    first = "\n".join(line for line in MOUNTS.splitlines() if "cgroup2" not in line)

    assert hierarchies(first) == (["/sys/fs/cgroup/pids"], "/sys/fs/cgroup/pids")
    with pytest.raises(ValueError, match="no control groups"):
        hierarchies("20 1 254:0 / / rw,relatime - ext4 /dev/vda rw")


LED = '-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"{}\\" id: \\"5d56\\"" -m multiport --dports 8088 -j {}'
PORTS = [
    "*nat",
    ":PREROUTING ACCEPT [0:0]",
    ":CNI-DN-2a46 - [0:0]",
    ":CNI-HOSTPORT-DNAT - [0:0]",
    ":CNI-HOSTPORT-MASQ - [0:0]",
    ":CNI-HOSTPORT-SETMARK - [0:0]",
    "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
    "-A PREROUTING -j SOMEONE",
    '-A POSTROUTING -m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ',
    "-A CNI-DN-2a46 -s 10.244.0.0/24 -p tcp -m tcp --dport 8088 -j CNI-HOSTPORT-SETMARK",
    "-A CNI-DN-2a46 -p tcp -m tcp --dport 8088 -j DNAT --to-destination 10.244.0.4:8000",
    LED.format("ours", "CNI-DN-2a46"),
    "-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE",
    '-A CNI-HOSTPORT-SETMARK -m comment --comment "CNI portfwd masquerade mark" -j MARK --set-xmark 0x2000/0x2000',
    "COMMIT",
]


def test_the_last_networks_ports_go_with_everything() -> None:
    left = [line for line in PORTS if line.startswith("-A ") and line != "-A PREROUTING -j SOMEONE"]
    told = without_ports(PORTS, "ours")

    assert sorted(told[1:-5]) == sorted(line.replace("-A", "-D", 1) for line in left)
    assert told[-5:-1] == [
        f"-X CNI-{name}" for name in ("DN-2a46", "HOSTPORT-DNAT", "HOSTPORT-MASQ", "HOSTPORT-SETMARK")
    ]
    assert (told[0], told[-1]) == ("*nat", "COMMIT")


def test_other_networks_ports_stay() -> None:
    told = without_ports([*PORTS, ":CNI-DN-77 - [0:0]", LED.format("theirs", "CNI-DN-77")], "ours")

    assert told == [
        "*nat",
        f"-D{LED.format('ours', 'CNI-DN-2a46')[2:]}",
        "-D CNI-DN-2a46 -s 10.244.0.0/24 -p tcp -m tcp --dport 8088 -j CNI-HOSTPORT-SETMARK",
        "-D CNI-DN-2a46 -p tcp -m tcp --dport 8088 -j DNAT --to-destination 10.244.0.4:8000",
        "-X CNI-DN-2a46",
        "COMMIT",
    ]


def test_without_ports_nothing_is_done() -> None:
    assert without_ports(["*nat", ":PREROUTING ACCEPT [0:0]", "-A PREROUTING -j SOMEONE", "COMMIT"], "ours") == []
