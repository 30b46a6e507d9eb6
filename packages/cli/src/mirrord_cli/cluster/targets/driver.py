"""Asks the API server what machine.py and listing.py want to know: all of a round at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mirrord_cli.cluster.api.driver import Api
from mirrord_cli.cluster.api.machine import Refused
from mirrord_cli.cluster.objects import Json
from mirrord_cli.cluster.targets.asking import Answer, Ask, Refusal, page
from mirrord_cli.cluster.targets.found import FoundTarget
from mirrord_cli.cluster.targets.kinds import KINDS, NAMESPACES
from mirrord_cli.cluster.targets.lacking import MISSING, no_namespace, refused
from mirrord_cli.cluster.targets.listing import Listing, asked_kinds, asking, targets
from mirrord_cli.cluster.targets.machine import finding
from mirrord_cli.config.target import TARGETLESS, ClusterTarget

EXPIRED = 410


def find_target(api: Api, target: ClusterTarget, namespace: str) -> FoundTarget | None:
    """Return the container that a target means; None for `targetless`.

    Raises:
        MirrordError: There is none, or it can't be had; with what there is in its place.
    """
    if target.kind == TARGETLESS:
        return None
    rounds = finding(target, namespace)
    try:
        asked = next(rounds)
        while True:
            asked = rounds.send(tuple(api.together(*(partial(_ask, api, ask) for ask in asked))))
    except StopIteration as done:
        found: FoundTarget = done.value
        return found


def list_targets(api: Api, wanted: Sequence[str], namespace: str, *, namespaces: bool) -> Listing:
    """Return what there is of some kinds; kinds that may not be listed are left out.

    Args:
        api: The cluster.
        wanted: The kinds, in the order in which they are to be listed.
        namespace: Where to look.
        namespaces: Whether the namespaces of the cluster are wanted too.

    Raises:
        MirrordError: There is no such namespace, or none of the kinds may be listed.
    """
    kinds = asked_kinds(wanted)
    asked = [asking(word, namespace) for word in kinds] + ([page(NAMESPACES)] if namespaces else [])
    answers: list[list[Json] | Refusal] = api.together(*(partial(_list, api, ask) for ask in asked))
    spaces = answers.pop() if namespaces else []
    answered = dict(zip(kinds, answers, strict=True))
    lists = {word: found for word, found in answered.items() if not isinstance(found, Refusal)}
    refusals = {
        word: found for word in wanted if isinstance(found := answered[word], Refusal) and found.status != MISSING
    }
    if refusals and not any(word in lists for word in wanted):
        word, refusal = next(iter(refusals.items()))
        raise refused(refusal, "list", KINDS[word], namespace)
    there = tuple(targets(wanted, lists))
    if not there:
        _exists(api, namespace)
    names = [] if isinstance(spaces, Refusal) else [each["metadata"]["name"] for each in spaces]
    return Listing(
        targets=there,
        current_namespace=namespace,
        namespaces=tuple(names) if names or not namespaces else (namespace,),
        refused=tuple(KINDS[word].plural for word in refusals),
    )


def _exists(api: Api, namespace: str) -> None:
    there, namespaces = api.together(
        partial(_ask, api, Ask(f"{NAMESPACES}/{namespace}")), partial(_ask, api, page(NAMESPACES))
    )
    if isinstance(there, Refusal) and there.status == MISSING:
        raise no_namespace(namespace, namespaces)


def _ask(api: Api, ask: Ask) -> Answer:
    try:
        return api.get(ask.path, **dict(ask.query))
    except Refused as error:
        return _refusal(error)


def _list(api: Api, ask: Ask) -> list[Json] | Refusal:
    """Return all pages of a list."""
    query, found = dict(ask.query), list[Json]()
    while True:
        try:
            answer = api.get(ask.path, **query)
        except Refused as error:
            if error.status != EXPIRED or "limit" not in query:
                return _refusal(error)
            # It took so long that the server has forgotten where the pages began: all at once, then.
            query, found = {name: value for name, value in ask.query if name != "limit"}, []
            continue
        found += answer.get("items") or []
        more = (answer.get("metadata") or {}).get("continue")
        if not more:
            return found
        query["continue"] = more


def _refusal(error: Refused) -> Refusal:
    # An API that isn't there is answered by a page, not by an object of the API, so that nobody gave a reason.
    return Refusal(error.status, error.message, of_object=error.reason == "NotFound")
