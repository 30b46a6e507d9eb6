"""Names that exist nowhere: what a DNS server tells of them, and what a scripted session answers about them.

One table is both, so a program's plain run beside a real DNS server (layer_dns.py) is what its run under the layer is
compared with.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.renderer
import dns.reversename
import dns.rrset

from layer_remote import Answer, Remote
from layer_session import Session
from layer_table import ALL_LOCAL, HOSTNAME_LOCAL, NAMES_LOCAL
from mirrord_protocol.layer_values import LayerOperation, LayerOutcome, LayerReply, LayerRequest, LayerResolve
from mirrord_protocol.network_messages import decode_layer_address, encode_layer_address
from mirrord_protocol.network_values import Address

FOUND, NO_NAME, NO_DATA, TRY_AGAIN, FAILED = range(5)
"""Outcomes of a resolution, as the schema numbers them."""

HOSTNAME = "target-7"
SEARCH = "test"
"""The domain that the resolver appends."""


@dataclass(frozen=True, slots=True)
class Name:
    """What there is to know of a name, in the order in which addresses come."""

    addresses: Sequence[str] = ()
    alias_of: str = ""
    outcome: int = FOUND
    texts: Sequence[str] = ()
    """Content of TXT records."""


MANY = [f"10.2.{number // 256}.{number % 256}" for number in range(1500)]

NAMES = {
    "web.test": Name(["2001:db8::1:1", "2001:db8::1:2", "10.1.0.1", "10.1.0.2", "10.1.0.3"]),
    f"{HOSTNAME}.test": Name(["198.51.100.7"]),
    "alias.test": Name(alias_of="web.test"),
    "deep.test": Name(alias_of="alias.test"),
    "four.test": Name(["10.1.0.4"]),
    "six.test": Name(["2001:db8::6"]),
    "1st.test": Name(["10.1.0.11"]),
    "xn--bcher-kva.test": Name(["10.1.0.5"]),
    "many.test": Name(MANY),
    "empty.test": Name(texts=["nothing"], outcome=NO_DATA),
    "long.test": Name(texts=[f"{number:0255}" for number in range(16)], outcome=NO_DATA),
    "busy.test": Name(outcome=TRY_AGAIN),
    "broken.test": Name(outcome=FAILED),
}
POINTERS = {
    "10.1.0.1": "web.test",
    "10.1.0.4": "four.test",
    "10.1.0.5": "xn--bcher-kva.test",
    "2001:db8::6": "six.test",
}
SERVICES = ["0 5 8080 web.test.", "1 5 8081 four.test."]
"""SRV records of `_http._tcp.test`."""

RCODES = {TRY_AGAIN: dns.rcode.SERVFAIL, FAILED: dns.rcode.NOTIMP}


def records(name: str, kind: int) -> list[str]:
    """The texts of a name's records of a type."""
    known = NAMES.get(name, Name())
    wanted = {dns.rdatatype.A: 4, dns.rdatatype.AAAA: 6}.get(dns.rdatatype.RdataType(kind))
    if kind == dns.rdatatype.TXT:
        return [f'"{text}"' for text in known.texts]
    if kind == dns.rdatatype.SRV:
        return SERVICES if name == "_http._tcp.test" else []
    if kind == dns.rdatatype.PTR:
        return [POINTERS[address] + "." for address in POINTERS if pointer(address) == name]
    return [address for address in known.addresses if ipaddress.ip_address(address).version == wanted]


def pointer(address: str) -> str:
    """The name that an address is looked up by."""
    return dns.reversename.from_address(address).to_text(omit_final_dot=True)


def is_known(name: str) -> bool:
    """Whether the name exists, whatever it has."""
    return name in NAMES or name == "_http._tcp.test" or any(pointer(address) == name for address in POINTERS)


def respond(wire: bytes, *, room: int = 65535) -> bytes:
    """The DNS server's answer to a message; truncated where it is larger than `room`."""
    query = dns.message.from_wire(wire)
    response = dns.message.make_response(query)
    response.flags |= dns.flags.RA
    question = query.question[0]
    name = question.name.to_text(omit_final_dot=True).lower()
    known = NAMES.get(name, Name())
    while known.alias_of:
        owner = dns.name.from_text(name)
        response.answer.append(dns.rrset.from_text(owner, 60, "IN", "CNAME", known.alias_of + "."))
        name, known = known.alias_of, NAMES[known.alias_of]
    found = records(name, question.rdtype)
    if found:
        owner = dns.name.from_text(name)
        response.answer.append(dns.rrset.from_text(owner, 60, "IN", question.rdtype, *found))
    if known.outcome in RCODES:
        response.set_rcode(RCODES[known.outcome])
    elif not is_known(name):
        response.set_rcode(dns.rcode.NXDOMAIN)
    data = in_order(response)
    if len(data) > room:
        response.answer.clear()
        response.flags |= dns.flags.TC
        data = in_order(response)
    return data


def in_order(message: dns.message.Message) -> bytes:
    """A message's bytes, with the records in the order in which they were added, not shuffled."""
    make: Any = dns.renderer.Renderer  # which says nothing of its types
    renderer = make(message.id, message.flags, max_size=65535)
    renderer.add_question(message.question[0].name, message.question[0].rdtype)
    for records_of_name in message.answer:
        renderer.add_rrset(dns.renderer.ANSWER, records_of_name, want_shuffle=False)
    renderer.write_header()
    wire: bytes = renderer.get_wire()
    return wire


def encode_host(text: str) -> bytes:
    """An address as a payload has it; a scope's number may follow `%`."""
    host, _, scope = text.partition("%")
    return encode_layer_address(Address(ipaddress.ip_address(host).packed, 0, int(scope or 0)))


@dataclass(slots=True)
class Names:
    """Answers a session's questions about names. A test may change any of it before it starts a program."""

    names: dict[str, Name] = field(default_factory=lambda: dict(NAMES))
    local: set[str] = field(default_factory=set)
    """Names and addresses that are this machine's; `hostname` is the host's name itself."""
    hostname: bytes = HOSTNAME.encode()
    failure: str = ""
    """The errno of every answer."""
    damage: bytes | None = None
    """What comes in place of every payload."""

    def serve(self, remote: Remote) -> None:
        """Let a scripted session answer by this table."""
        remote.answers[LayerOperation.LISTEN] = lambda *_: Answer(LayerReply(LayerOutcome.LOCAL))
        remote.answers[LayerOperation.RESOLVE] = self._resolve
        remote.answers[LayerOperation.REVERSE] = self._reverse
        remote.answers[LayerOperation.QUERY] = self._query
        remote.answers[LayerOperation.HOSTNAME] = self._hostname

    def _reply(self, asked: str, payload: bytes, *, count: int = 0, outcome: int = FOUND) -> Answer:
        if asked in self.local:
            return Answer(LayerReply(LayerOutcome.LOCAL))
        if self.failure:
            return Answer(LayerReply(LayerOutcome.FAILED, errno=self.failure))
        payload = payload if self.damage is None else self.damage
        return Answer(LayerReply(LayerOutcome.DONE, payload=len(payload), offset=count, length=outcome), payload)

    def find(self, asked: str) -> tuple[list[str], Name]:
        """The canonical name, then those that led to it, and what is known of it: by the search list."""
        for name in (asked, f"{asked}.{SEARCH}") if "." in asked else (f"{asked}.{SEARCH}", asked):
            if name in self.names:
                led = [name]
                while self.names[led[-1]].alias_of:
                    led.append(self.names[led[-1]].alias_of)
                return [led[-1], *led[:-1]], self.names[led[-1]]
        return [asked], Name(outcome=NO_NAME)

    def _resolve(self, request: LayerRequest, payload: bytes) -> Answer:
        asked = payload.decode()
        full, known = self.find(asked.rstrip(".").lower())
        wanted = {4: LayerResolve.IPV4, 6: LayerResolve.IPV6}
        fitting = [
            address
            for address in known.addresses
            if request.flags & wanted[ipaddress.ip_address(address.partition("%")[0]).version]
        ]
        outcome = known.outcome or (FOUND if fitting else NO_DATA)
        data = b"".join(map(encode_host, fitting))
        if request.flags & LayerResolve.CANONICAL_NAME and outcome == FOUND:
            data += "\0".join(full).encode()
        return self._reply(asked, data, count=len(fitting), outcome=outcome)

    def _reverse(self, request: LayerRequest, payload: bytes) -> Answer:
        host = ipaddress.ip_address(decode_layer_address(payload).host)
        address = str(getattr(host, "ipv4_mapped", None) or host)
        name = POINTERS.get(address, "")
        return self._reply(address, name.encode(), outcome=FOUND if name else NO_NAME)

    def _query(self, request: LayerRequest, payload: bytes) -> Answer:
        message = dns.message.from_wire(payload)
        asked = message.question[0].name.to_text(omit_final_dot=True)
        if request.flags & 1 and not is_known(asked.lower()):
            message.question[0].name = dns.name.from_text(f"{asked}.{SEARCH}")
        return self._reply(asked, respond(message.to_wire()))

    def _hostname(self, request: LayerRequest, payload: bytes) -> Answer:
        return self._reply("hostname", self.hostname)


def serve_names(session: Session) -> Names:
    """Let a session answer about names, which alone are the target's from now on."""
    names = Names()
    names.serve(session.remote)
    session.table.set_network(ALL_LOCAL & ~(NAMES_LOCAL | HOSTNAME_LOCAL))
    return names


def resolver_files(folder: Path) -> dict[str, Path]:
    """The files of a machine that asks the DNS server: where they go, and where they are."""
    texts = {
        "/etc/resolv.conf": f"nameserver 127.0.0.1\nsearch {SEARCH}\noptions timeout:1 attempts:1\n",
        "/etc/nsswitch.conf": "hosts: files dns\n",
        "/etc/hosts": "127.0.0.1 localhost\n",
    }
    files = {}
    for path, text in texts.items():
        files[path] = folder / Path(path).name
        files[path].write_text(text)
    return files
