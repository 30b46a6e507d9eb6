"""What the names' server of `services` knows: the zone shop.test, and names that go wrong in each way."""

from __future__ import annotations

from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.renderer
import dns.rrset
import trio

from tests.kit.remote_network import PEER, PEER6, PEER_MORE, TARGET

RECORDS = f"""
db.shop.test.           300 A     {PEER}
db.shop.test.           300 AAAA  {PEER6}
four.shop.test.         300 A     {PEER}
six.shop.test.          300 AAAA  {PEER6}
www.shop.test.          300 CNAME db.shop.test.
deep.www.shop.test.     300 CNAME www.shop.test.
dangling.shop.test.     300 CNAME nothing.shop.test.
text.shop.test.         300 TXT   "a text of the target"
short.shop.test.          1 A     {PEER}
together.shop.test.     300 A     {PEER}
together.shop.test.     300 AAAA  {PEER6}
dead.shop.test.         300 A     {PEER}
dead.shop.test.         300 AAAA  fd00:77::dead
warehouse.shop.test.    300 A     {PEER}
both.shop.test.         300 A     127.0.0.2
mail.lan.test.          300 A     {PEER}
_http._tcp.shop.test.   300 SRV   10 5 8080 db.shop.test.
1.0.77.10.in-addr.arpa. 300 PTR   db.shop.test.
2.0.77.10.in-addr.arpa. 300 PTR   service.shop.test.
service.shop.test.      300 A     {TARGET}
"""
MORE = {
    ("shop.test.", "MX"): ("10 mail.shop.test.", "20 backup.shop.test."),
    ("shop.test.", "NS"): ("ns.shop.test.",),
    ("many.shop.test.", "A"): (PEER, *PEER_MORE),
    ("large.shop.test.", "TXT"): tuple(f'"part {number:03} {"x" * 200}"' for number in range(20)),
    ("truncated.shop.test.", "A"): (PEER,),
}
BROKEN = {"broken.shop.test.": dns.rcode.SERVFAIL, "refused.shop.test.": dns.rcode.REFUSED}
SILENT = {"silent.shop.test."}
TRUNCATED = {"truncated.shop.test.", "large.shop.test."}
TOGETHER = {"together.shop.test."}
SOA = "ns.shop.test. admin.shop.test. 1 3600 600 86400 2"


def _zone() -> dict[tuple[str, str], dns.rrset.RRset]:
    made: dict[tuple[str, str], tuple[int, list[str]]] = {key: (300, list(texts)) for key, texts in MORE.items()}
    for line in RECORDS.strip().splitlines():
        name, lifetime, kind, text = line.split(maxsplit=3)
        made.setdefault((name, kind), (int(lifetime), []))[1].append(text)
    return {
        (name, kind): dns.rrset.from_text(name, lifetime, "IN", kind, *texts)
        for (name, kind), (lifetime, texts) in made.items()
    }


ZONE = _zone()
NAMES = {name for name, _ in ZONE}


def name_of(question: dns.message.Message) -> str:
    """The name asked about, in lower case, with its last dot."""
    return question.question[0].name.to_text().lower()


def describe(question: dns.message.Message, transport: str) -> tuple[str, str, str]:
    """A question as tests look at it."""
    return name_of(question), dns.rdatatype.to_text(question.question[0].rdtype), transport


def answer(question: dns.message.Message) -> dns.message.Message:
    """The answer, with the canonical names on the way."""
    made = dns.message.make_response(question)
    made.flags |= dns.flags.AA | dns.flags.RA
    name, kind, _ = describe(question, "")
    if name in BROKEN:
        made.set_rcode(BROKEN[name])
        return made
    while alias := ZONE.get((name, "CNAME")):
        made.answer.append(alias)
        name = alias[0].target.to_text()
    if found := ZONE.get((name, kind)):
        made.answer.append(found)
        return made
    made.authority.append(dns.rrset.from_text("test.", 2, "IN", "SOA", SOA))
    if name not in NAMES:
        made.set_rcode(dns.rcode.NXDOMAIN)
    return made


def to_wire(message: dns.message.Message) -> bytes:
    """A message as bytes, its records in the order of this file: dnspython's own shuffles them."""
    made: Any = dns.renderer.Renderer(message.id, message.flags)  # type: ignore[no-untyped-call]
    made.add_question(message.question[0].name, message.question[0].rdtype)
    for section in (dns.renderer.ANSWER, dns.renderer.AUTHORITY):
        for records in message.sections[section]:
            made.add_rrset(section, records, want_shuffle=False)
    if message.opt:
        made.add_opt(message.opt)
    made.write_header()
    return bytes(made.get_wire())


class Pairs:
    """Holds a question for one kind of address back until the other kind is asked for too."""

    def __init__(self) -> None:
        self._asked: dict[str, trio.Event] = {}

    async def wait(self, question: dns.message.Message) -> None:
        """Wait for the other question; whoever asks one after the other waits in vain."""
        name, kind, _ = describe(question, "")
        other = {"A": "AAAA", "AAAA": "A"}.get(kind)
        if other:
            self._asked.setdefault(f"{name} {kind}", trio.Event()).set()
            await self._asked.setdefault(f"{name} {other}", trio.Event()).wait()
