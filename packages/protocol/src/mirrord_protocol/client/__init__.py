"""The session's end as a typed client: `open_client` is where a user of this package begins."""

from mirrord_protocol.client.driver import Client, Subscription, open_client
from mirrord_protocol.client.remote_files import DataStream, Listing, RemoteFile
from mirrord_protocol.client.streams import ConnectionStream
from mirrord_protocol.connections import Connection, DatagramStream
from mirrord_protocol.failure import ConnectionLost, RemoteError
from mirrord_protocol.session_end import Statistics

__all__ = [
    "Client",
    "Connection",
    "ConnectionLost",
    "ConnectionStream",
    "DataStream",
    "DatagramStream",
    "Listing",
    "RemoteError",
    "RemoteFile",
    "Statistics",
    "Subscription",
    "open_client",
]
