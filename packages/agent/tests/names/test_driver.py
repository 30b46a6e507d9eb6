"""Names found in a network of the test's own, against what the C library finds in the same."""

from __future__ import annotations

import errno
import ipaddress
import itertools
import time
from collections.abc import Iterator
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import pytest

from agent_names import BOTH, IPV4, IPV6, RESOLVER, Question, Remote, start


@pytest.fixture(scope="module")
def running() -> Iterator[Remote]:
    with start() as remote:
        yield remote


@pytest.fixture
def remote(running: Remote) -> Remote:
    running.put()
    running.asked()
    return running


def every(*names: str) -> list[Question]:
    """Each name, for each choice of families, with its canonical name."""
    return [(name, families, True, False) for name, families in itertools.product(names, (IPV4, IPV6, BOTH))]


def test_names_of_the_zone(remote: Remote) -> None:
    names = ("www.shop.test", "v4.shop.test", "v6.shop.test", "alias.shop.test", "text.shop.test", "nothing.shop.test")
    remote.compare(every(*names, "WWW.Shop.Test", "mixed.shop.test", "dangling.shop.test", "loop.shop.test"))


def test_what_servers_do_wrong(remote: Remote) -> None:
    remote.put(resolv_conf="nameserver 127.0.0.1\noptions attempts:1 timeout:1\n")
    names = ("servfail", "refused", "formerr", "notimp", "yxdomain", "wrongid", "wrongname", "garbage", "lame", "half")
    remote.compare(every(*(f"{name}.shop.test" for name in (*names, "truncated", "big"))))


def test_names_in_hosts(remote: Remote) -> None:
    remote.put(
        hosts="""
127.0.0.1\tlocalhost
::1 localhost ip6-localhost
10.7.0.2 here.shop.test here # a comment
10.7.0.6 first.test second.test
fd07::66 second.test
10.7.0.7 second.test third
::ffff:10.7.0.8 mapped.test
nonsense www.shop.test
10.1 shorter.test
10.7.0.9
fe80::1%lo scoped.test
"""
    )
    names = ("localhost", "ip6-localhost", "here", "HERE.shop.test", "first.test", "second.test", "third")
    remote.compare(every(*names, "mapped.test", "www.shop.test", "shorter.test", "scoped.test", "here."))


def test_search_lists(remote: Remote) -> None:
    names = ("www", "www.", "twice", "single", "single.", "deep.er", "nothing", "twice.two.test", "text", "www.shop")
    for options in ("", "ndots:2", "ndots:0", "ndots:3 no-tld-query", "ndots:15"):
        remote.put(resolv_conf=f"{RESOLVER}options {options}\n")
        questions = every(*names)
        remote.asked()
        remote.compare(questions)


def test_variables_of_the_target() -> None:
    with start(LOCALDOMAIN="two.test  shop.test", RES_OPTIONS="ndots:2 timeout:1 nonsense") as remote:
        remote.put(resolv_conf="nameserver 127.0.0.1\nsearch nothing.test\noptions ndots:0\n")
        remote.compare(every("twice", "deep.er", "single", "nothing"))
        assert remote.resolve("twice", IPV4)["addresses"] == ["10.7.0.22"]


def test_numbers(remote: Remote) -> None:
    remote.compare(
        every(
            "127.0.0.1",
            "127.1",
            "0x7f.1",
            "0177.1",
            "256.1.1.1",
            "1.2.3.4.5",
            "::1",
            "::ffff:1.2.3.4",
            "1.2.3",
            "08.1.1.1",
            "fe80::1%nothing",
            "4294967295",
            "4294967296",
        )
    )


def test_order(remote: Remote) -> None:
    remote.compare(every("many.shop.test"))
    remote.ask(addresses="add")
    remote.compare(every("many.shop.test", "www.shop.test"))
    remote.compare([("many.shop.test", families, False, True) for families in (IPV4, IPV6, BOTH)])
    remote.put(gai_conf="precedence ::ffff:0:0/96 100\n")
    remote.compare(every("many.shop.test", "www.shop.test"))
    remote.put()
    remote.ask(addresses="delete")
    remote.compare([("many.shop.test", families, False, True) for families in (IPV4, IPV6, BOTH)])


def test_services(remote: Remote) -> None:
    names = ("www.shop.test", "here", "nothing.test", "alias.shop.test")
    hosts = "127.0.0.1 localhost\n10.7.0.2 here\n10.7.0.99 www.shop.test\n"
    for services in (
        None, "", "hosts: files\n", "hosts: dns\n", "hosts: dns files\n", "hosts: files [NOTFOUND=return] dns\n",
        "hosts: files dns # more\n", "hosts: files [SUCCESS=return NOTFOUND=continue] dns\n",
        "hosts:files dns [!UNAVAIL=return] files\n", "passwd: files\n",
    ):  # fmt: skip
        remote.put(nsswitch_conf=services, hosts=hosts)
        remote.compare(every(*names))


def test_services_that_we_do_not_have(remote: Remote) -> None:
    """They are passed over, as if they weren't reached."""
    for services in (
        "mymachines resolve [!UNAVAIL=return] files myhostname dns",
        "files mdns4_minimal [NOTFOUND=return] dns",
    ):
        remote.put(nsswitch_conf=f"hosts: {services}\n")
        assert remote.resolve("www.shop.test")["outcome"] == "FOUND"
    remote.put(nsswitch_conf="hosts: files resolve [UNAVAIL=return] dns\n")
    assert remote.resolve("www.shop.test")["outcome"] == "NO_NAME"


def test_localhost_without_a_file(remote: Remote) -> None:
    remote.put(hosts=None)
    for name, families, addresses in (
        ("localhost", BOTH, ["::1", "127.0.0.1"]),
        ("LOCALHOST.", IPV4, ["127.0.0.1"]),
        ("shop.localhost", IPV6, ["::1"]),
    ):
        assert remote.resolve(name, families)["addresses"] == addresses
    assert remote.asked() == [[], [], [], []]


def test_aliases_of_a_file(remote: Remote) -> None:
    assert remote.resolve("HERE", canonical=True) == {
        "outcome": "FOUND", "addresses": ["10.7.0.2"], "name": "here.shop.test", "aliases": ["here"], "lifetime": 1000,
    }  # fmt: skip


def test_aliases_of_a_server(remote: Remote) -> None:
    found = remote.resolve("alias.shop.test", IPV4, canonical=True)

    assert (found["name"], found["aliases"]) == ("www.shop.test", ["alias.shop.test", "other.shop.test"])


def test_lifetimes(remote: Remote) -> None:
    for name, seconds in (
        ("alias.shop.test", 20),  # the least of its chain
        ("weekly.shop.test", 3600),  # at most an hour
        ("nothing.shop.test", 25),  # as the zone says of names that aren't there
        ("text.shop.test", 25),
        ("nothing.nosoa.test", 0),  # nobody says so
        ("servfail.shop.test", 0),
        ("single", 25),  # found at last, but not below shop.test
        ("half.shop.test", 60),
    ):
        assert remote.resolve(name, IPV4)["lifetime"] == 1000 * seconds, name


def test_a_lifetime_without_one_of_the_answers(remote: Remote) -> None:
    remote.put(resolv_conf="nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    assert remote.resolve("half.shop.test") == {
        "outcome": "FOUND", "addresses": ["10.7.0.30"], "name": "", "aliases": [], "lifetime": 0,
    }  # fmt: skip


def test_files_are_read_again_when_they_change(remote: Remote) -> None:
    for number in range(1, 4):
        remote.put(hosts=f"10.9.9.{number} changing.test\n")
        assert remote.resolve("changing.test")["addresses"] == [f"10.9.9.{number}"]
    remote.put(hosts=None)
    assert remote.resolve("changing.test")["outcome"] == "NO_NAME"


def test_servers_one_after_another(remote: Remote) -> None:
    for servers, asked in (
        (("127.0.0.2", "127.0.0.1"), [1, 1, 0, 0]),  # fails
        (("127.0.0.4", "127.0.0.1"), [1, 0, 0, 0]),  # refuses
        (("127.0.0.3", "127.0.0.1"), [1, 0, 1, 0]),  # says nothing
        (("192.0.2.1", "::1"), [0, 0, 0, 1]),  # no way there
        (("fe80::1%lo", "fe80::1%nothing", "127.0.0.1"), [1, 0, 0, 0]),
    ):
        lines = "".join(f"nameserver {server}\n" for server in servers)
        seconds = 1 if "127.0.0.3" in servers else 10
        remote.put(resolv_conf=f"{lines}options timeout:{seconds} attempts:1\n")
        remote.asked()
        assert remote.resolve("www.shop.test.", IPV4)["outcome"] == "FOUND"
        assert [len(each) for each in remote.asked()] == asked, servers


def test_servers_that_rotate(remote: Remote) -> None:
    remote.put(resolv_conf="nameserver 127.0.0.1\nnameserver ::1\noptions rotate\n")
    remote.ask(resolve=[("www.shop.test", IPV4, False, False)] * 40)
    first, _, _, last = remote.asked()
    assert len(first) + len(last) == 40
    assert first and last


def test_nobody_answers(remote: Remote) -> None:
    for server, seconds in (("127.0.0.3", 2), ("127.0.0.4", 0)):
        remote.put(resolv_conf=f"nameserver {server}\noptions timeout:1\n")
        begun = time.monotonic()
        assert remote.resolve("www.shop.test")["outcome"] == "TRY_AGAIN"
        assert seconds <= time.monotonic() - begun < seconds + 10


def test_options_of_questions(remote: Remote) -> None:
    for options, asked in (
        ("use-vc", ["www.shop.test. A TCP", "www.shop.test. AAAA TCP"]),
        ("single-request", ["www.shop.test. A UDP", "www.shop.test. AAAA UDP"]),
        ("no-aaaa", ["www.shop.test. A UDP"]),
    ):
        remote.put(resolv_conf=f"nameserver 127.0.0.1\noptions {options}\n")
        assert remote.resolve("www.shop.test")["outcome"] == "FOUND"
        assert sorted(remote.asked()[0]) == asked
    assert remote.resolve("www.shop.test", IPV6)["outcome"] == "NO_DATA"
    remote.put(resolv_conf="nameserver 127.0.0.1\noptions edns0 trust-ad\n")
    remote.resolve("www.shop.test", IPV4)
    message = dns.message.from_wire(bytes.fromhex(remote.ask(messages=True)[-1]))
    assert (message.edns, message.payload) == (0, 1232)
    assert message.flags & dns.flags.AD


def test_reverse(remote: Remote) -> None:
    for host, name, aliases in (
        ("10.7.0.3", "www.shop.test", ["second.shop.test"]),
        ("10.7.0.2", "here.shop.test", ["here"]),
        ("::ffff:10.7.0.2", "here.shop.test", ["here"]),
        ("::1", "localhost", ["ip6-localhost"]),
    ):
        found = remote.ask(reverse=ipaddress.ip_address(host).packed.hex())
        assert (found["outcome"], found["name"], found["aliases"]) == ("FOUND", name, aliases)
    assert remote.ask(reverse=bytes([10, 7, 0, 99]).hex())["outcome"] == "NO_NAME"


def query(name: str, kind: str, **options: Any) -> dns.message.Message:
    return dns.message.make_query(name, kind, id=0x1234, **options)


def test_a_programs_own_questions(remote: Remote) -> None:
    def ask(message: dns.message.Message, *, search: bool = False) -> dns.message.Message:
        answer = remote.ask(query=message.to_wire().hex(), search=search)
        assert isinstance(answer, str), answer
        read = dns.message.from_wire(bytes.fromhex(answer))
        assert read.id == 0x1234
        return read

    assert str(ask(query("text.shop.test", "TXT")).answer[0][0]) == '"pears"'
    assert ask(query("nothing.shop.test", "TXT")).rcode() == dns.rcode.NXDOMAIN
    assert ask(query("servfail.shop.test", "TXT")).rcode() == dns.rcode.SERVFAIL
    assert len(ask(query("big.shop.test", "A")).answer[0]) == 250
    assert ask(query("text", "TXT")).rcode() == dns.rcode.NXDOMAIN
    asked = query("text", "TXT", use_edns=0, payload=4096, want_dnssec=True)
    assert ask(asked, search=True).question[0].name.to_text() == "text.shop.test."
    seen = dns.message.from_wire(bytes.fromhex(remote.ask(messages=True)[-1]))
    assert (seen.payload, seen.ednsflags) == (4096, asked.ednsflags)
    assert ask(query("www", "TXT"), search=True).rcode() == dns.rcode.NOERROR  # no data below one of the domains
    assert ask(query("nothing", "TXT"), search=True).rcode() == dns.rcode.NXDOMAIN


def test_questions_that_are_none(remote: Remote) -> None:
    good = query("www.shop.test", "A").to_wire()
    for message in (b"", good[:12], good[:-1], good[:2] + b"\x81" + good[3:], good[:5] + b"\2" + good[6:], b"\0" * 12):
        assert remote.ask(query=message.hex(), search=False) == "PROTOCOL"
    remote.put(resolv_conf="nameserver 127.0.0.3\noptions timeout:1 attempts:1\n")
    assert remote.ask(query=good.hex(), search=True) == errno.ETIMEDOUT
    remote.put(resolv_conf="nameserver 127.0.0.4\n")
    assert remote.ask(query=good.hex(), search=False) == errno.ECONNREFUSED


def test_names_that_nobody_can_have(remote: Remote) -> None:
    remote.compare(every("a" * 64 + ".shop.test", "a..shop.test", ".", "", ".shop.test", ("a" * 50 + ".") * 6))
    for name in ("www\0.shop.test", "9" * 5000, "fe80::1%" + "9" * 5000, "fe80::1%a\0b", "1.2.3.4\0"):
        assert remote.resolve(name)["outcome"] == "NO_NAME", name
