"""Removes a Job whose command line can't do it any more."""

from __future__ import annotations

from urllib.parse import quote

import h11
import trio

from mirrord_cli.session.access import Access
from mirrord_cli.session.reaching.driver import PATIENCE, connect
from mirrord_cli.session.reaching.machine import refused, unreachable
from mirrord_cli.session.reaching.reasons import CUT, Kind, Trouble
from mirrord_cli.session.reaching.securing.driver import trouble_of

GONE = 404
MOST = 1 << 20
"""Bytes of an answer that are read."""


async def remove_job(access: Access, namespace: str, job: str) -> bool:
    """Remove a Job with its pods; False if there is none.

    Raises:
        ForwardFailed: The API server can't be reached, or refuses.
    """
    pipe, place = await connect(access)
    client = h11.Connection(h11.CLIENT)
    target = f"{place.prefix}/apis/batch/v1/namespaces/{quote(namespace, safe='')}/jobs/{quote(job, safe='')}"
    headers = [(b"Host", place.authority.encode()), (b"Accept", b"application/json"), (b"Connection", b"close")]
    headers += [(name.encode(), value.encode("latin-1")) for name, value in access.headers]
    request = h11.Request(method="DELETE", target=f"{target}?propagationPolicy=Background", headers=headers)
    status, body = 0, b""
    trouble: Trouble | None = Trouble(Kind.SILENT)
    try:
        with trio.move_on_after(PATIENCE):
            await pipe.send((client.send(request) or b"") + (client.send(h11.EndOfMessage()) or b""))
            while trouble:
                match client.next_event():
                    case h11.NEED_DATA:
                        client.receive_data(await pipe.receive())
                    case h11.Response(status_code=status):
                        pass
                    case h11.Data(data=data):
                        body += data[: MOST - len(body)]
                    case h11.EndOfMessage() | h11.ConnectionClosed():
                        trouble = None
    except trio.BrokenResourceError as error:
        trouble = trouble_of(error.__cause__) if isinstance(error.__cause__, OSError) else CUT
    except h11.RemoteProtocolError as error:
        trouble = Trouble(Kind.BROKEN, f"its answer is no HTTP ({error})")
    finally:
        await pipe.close()
    if trouble is not None:
        raise unreachable(trouble, access)
    if status == GONE:
        return False
    if status >= 300:
        raise refused(status, body, f"delete job {job}", "delete jobs")
    return True
