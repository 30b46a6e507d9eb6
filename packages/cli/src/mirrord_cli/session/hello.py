"""What a session says first to an agent, and what an agent's refusal means for a person. No I/O."""

from __future__ import annotations

from mirrord_cli.session.failed import SessionFailed
from mirrord_cli.session.settings import EnvironmentRules, Settings
from mirrord_protocol.failure import LocalProtocolError
from mirrord_protocol.framing import FIRST_LIMIT
from mirrord_protocol.messages import encode_message
from mirrord_protocol.values import Failure, FailureKind, Hello


def hello_for(wanted: EnvironmentRules, token: bytes) -> Hello:
    """Return the hello; it has to fit into what an agent takes from somebody whom it doesn't know yet.

    Raises:
        SessionFailed: The names of variables don't.
    """
    hello = Hello(token, environment=wanted.wanted, include=wanted.include, exclude=wanted.exclude)
    size = sum(map(len, (*hello.include, *hello.exclude)))
    try:
        fits = size <= FIRST_LIMIT and len(encode_message(hello)) <= FIRST_LIMIT
    except LocalProtocolError:
        fits = False
    if not fits:
        text = f"The names of variables to include and to exclude are too many: {size} bytes."
        step = "Write fewer, with wildcards (`*`): feature.env.include, feature.env.exclude."
        raise SessionFailed("configuration", text, step)
    return hello


def refused(failure: Failure, target: str) -> SessionFailed:
    """Return what an agent's refusal to serve a target is to a person."""
    text = failure.text[:1].upper() + failure.text[1:].rstrip(".") + "."
    match failure.kind:
        case FailureKind.GONE:
            step = "Look the target up again, and name one that is running."
        case FailureKind.UNSUPPORTED:
            step = "Install versions of mirrord's packages that belong together, or use a newer kernel."
        case FailureKind.LIMIT:
            step = "Leave large variables out: feature.env.exclude, or -x."
            return SessionFailed("configuration", f"The agent can't serve {target}. {text}", step)
        case FailureKind.PROTOCOL | FailureKind.INTERNAL:
            return SessionFailed("us", f"The agent can't serve {target}. {text}", "The log has the rest.")
        case _:
            step = "Do what it says, or choose another target."
    return SessionFailed("you", f"The agent can't serve {target}. {text}", step)


def look(settings: Settings) -> str:
    """Return where the reason of a failure is to be found."""
    if settings.log_path is None:
        return "Set HOME, so that there is a log, and try again."
    return f"The log has the reason: {settings.log_path.decode(errors='backslashreplace')}"
