"""The API server, with plain JSON objects: asks again what failed in passing, watches, asks several things at once.

One question is asked in asking/driver.py; what an error means and how long is waited is decided in machine.py. The
client's models are not used: a machine that gets plain objects is tested with what a server really sends.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from msgspec.structs import asdict

from mirrord_cli.cluster.access.driver import load_access
from mirrord_cli.cluster.api.asking.driver import Asker
from mirrord_cli.cluster.api.machine import Events, Expired, Passing, Refused, Retry, read_object
from mirrord_cli.cluster.objects import Json
from mirrord_cli.config.keys import Config
from mirrord_cli.session.access import Access

T = TypeVar("T")
JSON = "application/json"
SHORTEST = 0.25
"""Seconds from one watch to the next: some servers, and what stands before them, end one at once."""
STRATEGIC = "application/strategic-merge-patch+json"


def open_api(
    *,
    kubeconfig: str | None,
    context: str | None,
    accept_invalid_certificates: bool | None,
    use_proxy: bool,
    retry: Retry,
    variables: Mapping[str, str],
) -> Api:
    """Return the user's cluster. Asks it nothing yet, but may run a credential plug-in.

    Raises:
        MirrordError: There is no kubeconfig, or it, or what it names, can't be used.
    """
    loaded = load_access(
        kubeconfig=kubeconfig,
        context=context,
        accept_invalid_certificates=accept_invalid_certificates,
        use_proxy=use_proxy,
        variables=variables,
    )
    return Api(loaded.access, loaded.namespace, retry, loaded.user)


def open_configured(config: Config, variables: Mapping[str, str]) -> Api:
    """As `open_api`, with what the configuration says."""
    return open_api(
        kubeconfig=config.kubeconfig,
        context=config.kube_context,
        accept_invalid_certificates=config.accept_invalid_certificates,
        use_proxy=config.use_proxy,
        retry=Retry(**asdict(config.startup_retry)),
        variables=variables,
    )


class Api:
    """One cluster, as one user. Its methods may be called by several threads at once.

    Paths are the API's, from `/api` or `/apis` on; queries are its parameters, by their names (`fieldSelector`).

    Raises (each method that asks):
        Refused: The server answered with an error.
        MirrordError: It can't be reached, or doesn't take the credentials.
    """

    def __init__(self, access: Access, namespace: str, retry: Retry, user: str = "the user") -> None:
        self.access = access
        self.namespace = namespace
        """The context's, or `default`."""
        self.user = user
        """Who asks, for a person."""
        self._retry = retry
        self._asker = Asker(access, user)

    def get(self, path: str, **query: str) -> Json:
        """Return an object or a list."""
        return self._ask("GET", path, query)

    def create(self, path: str, body: Json, **query: str) -> Json:
        """Create an object in a collection; the object as the server has it."""
        return self._ask("POST", path, query, body)

    def patch(self, path: str, body: Json, content_type: str = STRATEGIC, **query: str) -> Json:
        """Change an object; the object as the server has it."""
        return self._ask("PATCH", path, query, body, content_type)

    def delete(self, path: str, **query: str) -> None:
        """Delete an object; one that isn't there is fine."""
        try:
            self._ask("DELETE", path, query)
        except Refused as error:
            if error.status != 404:
                raise

    def watch(self, path: str, *, seconds: float, **query: str) -> Iterator[tuple[str, Json]]:
        """Yield what happens to the objects of a collection until the time is over: ADDED, MODIFIED or DELETED, and the
        object.

        It begins with an ADDED for each that is there already, and may do so again: after a broken connection it goes
        on where it was, but a server may have forgotten that place.
        """
        deadline = time.monotonic() + seconds
        events = Events(f"GET {path}")
        attempt = 0
        while (left := deadline - (began := time.monotonic())) > 0:
            asked = {"watch": "true", "timeoutSeconds": str(math.ceil(left)), "resourceVersion": events.version} | query
            try:
                for piece in self._asker.stream(path, asked, left):
                    attempt = 0
                    yield from events.receive(piece)
                events.begin_again(anew=False)
            except Expired:
                events.begin_again(anew=True)
            except Passing as error:
                attempt += 1
                events.begin_again(anew=False)
                self._rest(error, attempt, deadline - time.monotonic())
            time.sleep(max(0.0, min(began + SHORTEST, deadline) - time.monotonic()))

    def together(self, *calls: Callable[[], T]) -> list[T]:
        """Return what calls return, made at once, in threads; the first that raised, in their order, raises here."""
        results: list[T | BaseException] = [KeyboardInterrupt()] * len(calls)

        def run(number: int, call: Callable[[], T]) -> None:
            try:
                results[number] = call()
            except Exception as error:  # noqa: BLE001 - raised where the call was asked for
                results[number] = error

        # They hold nobody up who is interrupted, or wants to become the program.
        threads = [threading.Thread(target=run, args=each, daemon=True) for each in enumerate(calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        returned = list[T]()
        for result in results:
            if isinstance(result, BaseException):
                raise result
            returned.append(result)
        return returned

    def close(self) -> None:
        """Close the connections; another question makes new ones."""
        self._asker.close()

    def _ask(
        self, method: str, path: str, query: Mapping[str, str], body: Json | None = None, content_type: str = JSON
    ) -> Json:
        data = None if body is None else json.dumps(body).encode()
        attempt = 0
        perhaps_done = False
        while True:
            attempt += 1
            try:
                return read_object(self._asker.ask(method, path, query, data, content_type), f"{method} {path}")
            except Passing as error:
                perhaps_done |= error.perhaps_done
                self._rest(error, attempt)
            except Refused as error:
                # The question was answered before, and that answer lost.
                name = (body or {}).get("metadata", {}).get("name")
                if method == "POST" and error.reason == "AlreadyExists" and perhaps_done and name:
                    return self.get(f"{path}/{name}")
                raise

    def _rest(self, error: Passing, attempt: int, most: float = math.inf) -> None:
        """Wait before the next attempt; raise what is told if it was the last."""
        seconds = self._retry.pause(attempt, error.after)
        if seconds is None:
            raise error.reason from None
        time.sleep(max(0.0, min(seconds, most)))
