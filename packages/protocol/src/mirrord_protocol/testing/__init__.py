"""The test kit, for users of this package too: scripts for machines, ends joined in memory, relays that add delay.

- `Playbook`: events and the actions expected of them, with a diff of the two scripts on failure
- `EndScript`, with `Hear`, `Do`, `At`, `Said`, `SaidData`: makes an end of a connection fit for a playbook
- `Wire`: two ends joined without I/O, if wanted byte by byte
- `open_paired`: a client and a service joined in memory
- `python -m mirrord_protocol.testing relay`, `relay-to`: see `--help`
"""

from mirrord_protocol.testing.driver import open_paired, relay, relay_connections
from mirrord_protocol.testing.ends import At, Do, EndScript, Hear, HearData, Said, SaidData, Wire
from mirrord_protocol.testing.playbook import Learnt, Playbook

__all__ = [
    "At",
    "Do",
    "EndScript",
    "Hear",
    "HearData",
    "Learnt",
    "Playbook",
    "Said",
    "SaidData",
    "Wire",
    "open_paired",
    "relay",
    "relay_connections",
]
