"""Look at the shop from Python and print what was seen, a question and an answer a line.

Run twice by the demo: under `mirrord exec`, and plainly with ROOT leading into the service's own root, for the truth.
"""

import hashlib
import json
import os
import pathlib

root = os.environ.get("ROOT", "")
shop = pathlib.Path(root + "/srv/shop")


def tell(question: str, answer: object) -> None:
    print(question, answer, sep="\t")


def missing() -> str:
    try:
        (shop / "nothing-here").open().close()
    except OSError as error:
        return f"{type(error).__name__}, errno {error.errno}"
    return "opened"


tell("os.environ['SHOP_NAME']", os.environ["SHOP_NAME"])
tell("json.load(config.json)['greeting']", json.loads((shop / "config.json").read_text())["greeting"])
tell("os.listdir, sorted", " ".join(sorted(os.listdir(shop / "orders"))))
tell("walk, files in all", sum(len(files) for _, _, files in os.walk(shop)))
tell("stat: mode, size, mtime in ns", "{0.st_mode:o} {0.st_size} {0.st_mtime_ns}".format((shop / "config.json").stat()))
tell("os.readlink('current')", os.readlink(shop / "current"))
tell("through the link", (shop / "current" / "1001.txt").read_text().strip())
tell("12 MB, SHA-256", hashlib.sha256((shop / "stock.bin").read_bytes()).hexdigest()[:16])
with open(shop / "stock.bin", "rb") as stock:
    stock.seek(9_000_000)
    tell("seek to 9,000,000 and read 8", stock.read(8).hex())
tell("open of a missing file", missing())
