"""Asks the C library for names and addresses in all its ways; prints a line for each answer.

Run twice by test_names.py: under mirrord, and plainly in the target's network with its files of names.
"""

import socket
import sys

PEER, PEER6 = sys.argv[1:]
NAMES = [
    "db.shop.test", "db.shop.test.", "db", "mail", "mail.lan", "www", "deep.www", "four", "six", "many", "dangling",
    "nothing", "nothing.shop.test.", "text", "truncated", "gw", "gateway", "gateway6", "gateway.lan.test",
    "over-there", PEER, PEER6, "10.77.257.1", "a" * 64, "x." * 130, "..", "db..shop",
    "bücher.shop.test", "2.0.77.10.in-addr.arpa", "broken.shop.test.", "refused.shop.test.",
]  # fmt: skip
FLAGS = {
    "": 0, "canonical": socket.AI_CANONNAME, "numeric": socket.AI_NUMERICHOST, "configured": socket.AI_ADDRCONFIG,
    "mapped": socket.AI_V4MAPPED, "mapped, all": socket.AI_V4MAPPED | socket.AI_ALL, "passive": socket.AI_PASSIVE,
}  # fmt: skip
FAMILIES = {"any": 0, "4": socket.AF_INET, "6": socket.AF_INET6}


def tell(label, function, *arguments):
    try:
        value = function(*arguments)
    except OSError as error:
        value = f"{type(error).__name__} {error.args[0]}"
    except UnicodeError as error:
        value = type(error).__name__
    print(label, value, sep="\t", flush=True)


for name in NAMES:
    for family, number in FAMILIES.items():
        tell(f"getaddrinfo {name:.40} {family}", socket.getaddrinfo, name, 80, number, socket.SOCK_STREAM)
    if name != "many":  # the old functions don't sort; here they do
        tell(f"gethostbyname_ex {name:.40}", socket.gethostbyname_ex, name)
    tell(f"gethostbyname {name:.40}", socket.gethostbyname, name)
for name in ("db", "www", "gw", PEER, PEER6, "four", "six"):
    for label, flags in FLAGS.items():
        for family, number in FAMILIES.items():
            tell(f"getaddrinfo {name} {family} {label}", socket.getaddrinfo, name, "http", number, 0, 0, flags)
for host, service in (
    (None, 80),
    (None, "https"),
    ("", 80),
    ("db", None),
    ("db", "domain"),
    ("db", "no-service"),
    ("db", "99999"),
):
    tell(f"getaddrinfo {host} {service}", socket.getaddrinfo, host, service)
for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW, 0):
    tell(f"getaddrinfo kind {kind}", socket.getaddrinfo, "db", 53, 0, kind)
for address in (PEER, PEER6, "10.77.0.2", "10.77.0.99", "db"):
    tell(f"gethostbyaddr {address}", socket.gethostbyaddr, address)
for address in (PEER, PEER6, "10.77.0.2", "10.77.0.99"):
    pair = (address, 80, 0, 0) if ":" in address else (address, 80)
    for label, flags in {
        "": 0,
        "numeric": socket.NI_NUMERICHOST | socket.NI_NUMERICSERV,
        "must": socket.NI_NAMEREQD,
    }.items():
        tell(f"getnameinfo {address} {label}", socket.getnameinfo, pair, flags)
tell("gethostname", socket.gethostname)
