"""What of the network a target can't give: what the user gets instead, and what they are told. No I/O."""

from __future__ import annotations

from mirrord_cli.session.failed import SessionFailed
from mirrord_cli.session.settings import IncomingMode, NetworkRules
from mirrord_protocol.values import Capability, Failure, FailureKind, Welcome

OLD = Failure(FailureKind.UNSUPPORTED, None, "the agent is too old for it")

PARTS = {"names": Capability.NAMES, "outgoing": Capability.OUTGOING, "incoming": Capability.INCOMING}


def settle(wanted: NetworkRules, welcome: Welcome) -> tuple[NetworkRules, tuple[str, ...]]:
    """Return the rules that can be had, and a sentence for each wish that can't.

    Raises:
        SessionFailed: The user asked for connections that come, and the target can't give them.
    """
    warnings = list[str]()
    incoming = wanted.incoming
    if incoming.mode is not IncomingMode.OFF and (why := _why(welcome, Capability.INCOMING)):
        if incoming.required:
            text = f"Connections that come to the target can't be had: {_plain(why)}."
            raise SessionFailed(_category(why), text, _step(why))
        warnings.append(f"Connections that come to the target stay there: {_plain(why)}.")
    if (wanted.tcp or wanted.udp or wanted.unix_streams) and (why := _why(welcome, Capability.OUTGOING)):
        warnings.append(f"Connections of the program leave from this machine: {_plain(why)}.")
    if wanted.names and (why := _why(welcome, Capability.NAMES)):
        warnings.append(f"Names are resolved on this machine: {_plain(why)}.")
    return wanted.without(lacking(welcome)), tuple(warnings)


def lacking(welcome: Welcome) -> tuple[str, ...]:
    """Return the parts of the network that a target can't give, as `NetworkRules.without` takes them."""
    return tuple(part for part, capability in PARTS.items() if _why(welcome, capability))


def _why(welcome: Welcome, capability: Capability) -> Failure | None:
    """Return why the target can't give something; None if it can."""
    for each in welcome.lacking:
        if each.capability == capability:
            return each.reason
    return None if welcome.capabilities & capability else OLD


def _plain(why: Failure) -> str:
    return (why.text or why.errno or why.kind.name.lower()).rstrip(".")


def _category(why: Failure) -> str:
    return "us" if why.kind is FailureKind.INTERNAL else "you"


def _step(why: Failure) -> str:
    without = "or do without: feature.network.incoming.mode off."
    match why.kind:
        case FailureKind.FORBIDDEN | FailureKind.SYSTEM:
            return f"Give the agent the rights (CAP_NET_ADMIN over the target's network), {without}"
        case FailureKind.UNSUPPORTED:
            return f"Use a newer kernel, and versions of mirrord's packages that belong together, {without}"
        case _:
            return f"The log has the rest; try again, {without}"
