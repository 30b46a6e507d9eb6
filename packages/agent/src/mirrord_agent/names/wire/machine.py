"""DNS messages: questions for addresses and names, and what answers to them say. No I/O.

The only module that knows dnspython; it is loaded with the first name, or before our rights change: see driver.py.
"""

from __future__ import annotations

import ipaddress

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rdtypes.ANY.CNAME
import dns.rdtypes.ANY.DNAME
import dns.rdtypes.ANY.OPT
import dns.rdtypes.ANY.PTR
import dns.rdtypes.ANY.SOA
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA

from mirrord_agent.names.machine import Answer
from mirrord_protocol.network_values import NameOutcome

A, AAAA, PTR = int(dns.rdatatype.A), int(dns.rdatatype.AAAA), int(dns.rdatatype.PTR)
PAYLOAD = 1232
"""Bytes that an answer with EDNS may have over UDP."""
POSITIVE_LIMIT = 3600
NEGATIVE_LIMIT = 300
"""Seconds; a name that is new should be found soon."""

_OUTCOMES = {
    dns.rcode.NOERROR: NameOutcome.NO_DATA,
    dns.rcode.NXDOMAIN: NameOutcome.NO_NAME,
    dns.rcode.SERVFAIL: NameOutcome.TRY_AGAIN,
    dns.rcode.NOTIMP: NameOutcome.TRY_AGAIN,
    dns.rcode.REFUSED: NameOutcome.TRY_AGAIN,
}


def question(labels: tuple[bytes, ...], kind: int, *, extended: bool = False, trust_ad: bool = False) -> bytes:
    """Return a query for a name's records of a kind; its id is 0."""
    flags = dns.flags.RD | (dns.flags.AD if trust_ad else 0)
    query = dns.message.make_query(dns.name.Name((*labels, b"")), dns.rdatatype.RdataType(kind), id=0, flags=flags)
    if extended:
        query.use_edns(0, payload=PAYLOAD)
    return query.to_wire()


def reverse_labels(host: bytes) -> tuple[bytes, ...]:
    """Return the labels of the name under which an address's names are."""
    return tuple(ipaddress.ip_address(host).reverse_pointer.encode().split(b"."))


def read(message: bytes) -> Answer:
    """Return what an answer says; one that makes no sense is as none."""
    try:
        parsed = dns.message.from_wire(message, ignore_trailing=True)
        if (outcome := _OUTCOMES.get(parsed.rcode(), NameOutcome.FAILED)) not in {
            NameOutcome.NO_DATA,
            NameOutcome.NO_NAME,
        }:
            return Answer(outcome, failure=parsed.rcode() == dns.rcode.SERVFAIL)
        if not isinstance(parsed, dns.message.QueryMessage):
            return Answer(NameOutcome.TRY_AGAIN)
        chain = parsed.resolve_chaining()
    except dns.message.ChainTooLong:
        return Answer(NameOutcome.NO_NAME, dangling=True)
    except (dns.exception.DNSException, ValueError):
        return Answer(NameOutcome.TRY_AGAIN)
    if chain.answer is None:
        # Without an SOA record a bad answer mustn't be remembered (RFC 2308).
        seconds = min(chain.minimum_ttl, NEGATIVE_LIMIT) if parsed.authority else 0
        return Answer(outcome, lifetime=seconds, dangling=bool(parsed.answer))
    values = tuple(map(_value, chain.answer))
    lifetime = min(chain.minimum_ttl, POSITIVE_LIMIT)
    aliases = tuple(_text(alias.name) for alias in chain.cnames)
    return Answer(NameOutcome.FOUND, values, _text(chain.canonical_name), lifetime, aliases=aliases)


def _value(record: object) -> bytes:
    match record:
        case dns.rdtypes.IN.A.A() | dns.rdtypes.IN.AAAA.AAAA():
            return ipaddress.ip_address(record.address).packed
        case dns.rdtypes.ANY.PTR.PTR():
            return _text(record.target)
    return b""


def _text(name: dns.name.Name) -> bytes:
    return b".".join(label for label in name.labels if label) or b"."
