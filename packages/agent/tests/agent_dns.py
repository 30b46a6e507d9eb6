"""A small authoritative DNS server, over UDP and TCP, that also does what real ones do wrong.

What a name's first label says is done: `silent`, `servfail`, `garbage` and so on; all else is looked up in a zone.
"""

from __future__ import annotations

from collections.abc import Iterator

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import trio

RECORDS = """\
www.shop.test. 60 A 10.7.0.3
www.shop.test. 120 AAAA fd07::3
v4.shop.test. 60 A 10.7.0.4
v6.shop.test. 60 AAAA fd07::6
many.shop.test. 60 A 192.0.2.1
many.shop.test. 60 A 10.7.0.9
many.shop.test. 60 A 127.0.0.9
many.shop.test. 60 AAAA fd07::9
many.shop.test. 60 AAAA 2001:db8::9
many.shop.test. 60 AAAA ::1
many.shop.test. 60 AAAA fe80::9
text.shop.test. 60 TXT "pears"
alias.shop.test. 30 CNAME other.shop.test.
other.shop.test. 20 CNAME www.shop.test.
dangling.shop.test. 30 CNAME nothing.shop.test.
loop.shop.test. 30 CNAME loop2.shop.test.
loop2.shop.test. 30 CNAME loop.shop.test.
weekly.shop.test. 604800 A 10.7.0.5
twice.shop.test. 60 A 10.7.0.21
twice.two.test. 60 A 10.7.0.22
deep.er.two.test. 60 A 10.7.0.23
single. 60 A 10.7.0.24
MixED.shop.test. 60 A 10.7.0.25
3.0.7.10.in-addr.arpa. 60 PTR www.shop.test.
3.0.7.10.in-addr.arpa. 60 PTR second.shop.test.
big.shop.test. 60 A 10.7.1.0
half.shop.test. 60 A 10.7.0.30
"""
FIRST_WRONG = {"garbage", "wrongid", "wrongname", "short", "query"}
CODES = {
    "servfail": dns.rcode.SERVFAIL,
    "refused": dns.rcode.REFUSED,
    "formerr": dns.rcode.FORMERR,
    "notimp": dns.rcode.NOTIMP,
    "yxdomain": dns.rcode.YXDOMAIN,
}
SOA = "ns.test. root.test. 1 2 3 4 25"


class Server:
    """One server at an address; `asked` has the questions that came, as `NAME TYPE PROTOCOL`."""

    def __init__(self, host: str, *, always: str = "") -> None:
        self.host = host
        self.always = always
        self.asked: list[str] = []
        self.messages: list[bytes] = []
        self._zone: dict[tuple[dns.name.Name, int], dns.rrset.RRset] = {}
        for line in RECORDS.splitlines():
            name, seconds, kind, value = line.split(None, 3)
            new = dns.rrset.from_text(name, int(seconds), "IN", kind, value)
            self._zone.setdefault((new.name, new.rdtype), new).add(new[0])
        big = dns.rrset.from_text("big.shop.test.", 60, "IN", "A", *(f"10.7.1.{n}" for n in range(250)))
        self._zone[big.name, big.rdtype] = big

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""
        family = trio.socket.AF_INET6 if ":" in self.host else trio.socket.AF_INET
        udp = trio.socket.socket(family, trio.socket.SOCK_DGRAM)
        await udp.bind((self.host, 53))
        listeners = await trio.open_tcp_listeners(53, host=self.host)
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, self._serve_tcp, listeners)
            task_status.started()
            while True:
                data, peer = await udp.recvfrom(65535)
                for answer in self._answers(data, "UDP"):
                    await udp.sendto(answer, peer)

    async def _serve_tcp(self, stream: trio.SocketStream) -> None:
        buffer = b""
        while data := await stream.receive_some():
            buffer += data
            while len(buffer) >= 2 and len(buffer) >= 2 + (size := int.from_bytes(buffer[:2], "big")):
                message, buffer = buffer[2 : 2 + size], buffer[2 + size :]
                for answer in self._answers(message, "TCP"):
                    await stream.send_all(len(answer).to_bytes(2, "big") + answer)

    def _answers(self, data: bytes, protocol: str) -> Iterator[bytes]:
        query = dns.message.from_wire(data)
        self.messages.append(data)
        question = query.question[0]
        self.asked.append(f"{question.name} {dns.rdatatype.to_text(question.rdtype)} {protocol}")
        what = self.always or question.name.labels[0].decode()
        if what == "silent" or (what == "half" and question.rdtype == dns.rdatatype.AAAA):
            return
        if what in CODES:
            reply = dns.message.make_response(query)
            reply.set_rcode(CODES[what])
            yield reply.to_wire()
            return
        if what == "lame":
            yield dns.message.make_response(query).to_wire()
            return
        good = self._look_up(query)
        if what in FIRST_WRONG:
            yield from self._wrong(what, query, good.to_wire())
        wire = good.to_wire(max_size=65535, want_shuffle=False)
        if protocol == "UDP" and (len(wire) > max(512, query.payload) or what == "truncated"):
            short = dns.message.make_response(query)
            short.flags |= dns.flags.TC | dns.flags.RA
            wire = short.to_wire()
        yield wire

    @staticmethod
    def _wrong(what: str, query: dns.message.Message, good: bytes) -> Iterator[bytes]:
        match what:
            case "garbage":
                yield good[:2] + b"\xff" * 40
            case "short":
                yield good[:7]
            case "wrongid":
                yield bytes([good[0] ^ 1]) + good[1:]
            case "query":
                yield query.to_wire()
            case "wrongname":
                other = dns.message.make_query("other.name.", query.question[0].rdtype, id=query.id)
                reply = dns.message.make_response(other)
                reply.answer.append(dns.rrset.from_text("other.name.", 60, "IN", "A", "6.6.6.6"))
                yield reply.to_wire()

    def _look_up(self, query: dns.message.Message) -> dns.message.Message:
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA | dns.flags.RA
        name, kind = query.question[0].name, query.question[0].rdtype
        if name.labels[0] in {label.encode() for label in FIRST_WRONG | {"truncated"}}:
            if kind == dns.rdatatype.A:
                reply.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "10.7.0.40"))
            return reply
        for _ in range(8):
            if found := self._zone.get((name, kind)):
                reply.answer.append(found)
                return reply
            if (alias := self._zone.get((name, dns.rdatatype.CNAME))) is None:
                break
            reply.answer.append(alias)
            name = alias[0].target
        if not any(each.is_subdomain(name) for each, _ in self._zone):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        if not name.is_subdomain(dns.name.from_text("nosoa.test.")):
            reply.authority.append(dns.rrset.from_text("test.", 50, "IN", "SOA", SOA))
        return reply
