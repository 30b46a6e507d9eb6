"""Removes a Job whose command line can't do it any more."""

from __future__ import annotations

from urllib.parse import quote

import h11
import trio

from mirrord_cli.session.access import Access
from mirrord_cli.session.reaching.driver import connect
from mirrord_cli.session.reaching.machine import refused, unreachable

MOST = 1 << 20
"""Bytes of an answer that are read."""


async def remove_job(access: Access, namespace: str, job: str) -> bool:
    """Remove a Job with its pods; False if there is none.

    Raises:
        ForwardFailed: The API server can't be reached, or refuses.
    """
    connection, place = await connect(access)
    try:
        client = h11.Connection(h11.CLIENT)
        target = f"{place.prefix}/apis/batch/v1/namespaces/{quote(namespace, safe='')}/jobs/{quote(job, safe='')}"
        headers = [("Host", place.authority), ("Accept", "application/json"), ("Connection", "close"), *access.headers]
        request = h11.Request(method="DELETE", target=f"{target}?propagationPolicy=Background", headers=headers)
        await connection.send((client.send(request) or b"") + (client.send(h11.EndOfMessage()) or b""))
        status, body = 0, b""
        while True:
            match client.next_event():
                case h11.NEED_DATA:
                    client.receive_data(await connection.receive())
                case h11.Response(status_code=status):
                    pass
                case h11.Data(data=data) if len(body) < MOST:
                    body += data
                case h11.EndOfMessage() | h11.ConnectionClosed():
                    break
    except (trio.BrokenResourceError, h11.ProtocolError) as error:
        raise unreachable(place, str(error)) from None
    finally:
        await connection.close()
    if status == 404:
        return False
    if status >= 300:
        raise refused(status, body, f"delete job {job}", "delete jobs")
    return True
