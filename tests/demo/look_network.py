"""Look around in the network and print what was seen, a question and an answer a line.

Run twice by the demo: under `mirrord exec`, and in the service's own network for the truth.
"""

import socket
import urllib.request

WAREHOUSE = "warehouse.shop.test"


def tell(question: str, answer: object) -> None:
    print(question, answer, sep="\t")


def refused() -> str:
    try:
        socket.create_connection((WAREHOUSE, 1)).close()
    except OSError as error:
        return f"{type(error).__name__}, errno {error.errno}"
    return "connected"


tell("socket.gethostname()", socket.gethostname())
tell(f"gethostbyname({WAREHOUSE!r})", socket.gethostbyname(WAREHOUSE))
with urllib.request.urlopen(f"http://{WAREHOUSE}:8080/pears") as answer:
    tell("GET /pears from the warehouse", answer.read().decode().strip())
with socket.create_connection((WAREHOUSE, 7)) as sock:
    tell("getsockname()[0], getpeername()", f"{sock.getsockname()[0]}, {sock.getpeername()}")
tell("connect to a port that is closed", refused())
