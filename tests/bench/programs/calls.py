"""Do one thing to the shop's files, several times over, and print the milliseconds that each time took, as JSON.

Run by the benchmarks under `mirrord exec`: `calls.py NAME ROOT`. Each function yields after each of its times.
"""

import importlib
import json
import os
import sys
import threading
import time


def nothing(shop):
    yield


def small(shop):
    for _ in range(2):
        file = os.open(f"{shop}/small.txt", os.O_RDONLY)
        os.fstat(file)
        assert len(os.read(file, 4096)) == 100
        os.close(file)
        yield


def stat(shop):
    for _ in range(2):
        os.stat(f"{shop}/small.txt")
        yield


def negative(shop):
    for _ in range(2):
        try:
            os.stat(f"{shop}/nothing")
        except FileNotFoundError:
            yield


def listing(shop):
    for _ in range(2):
        with os.scandir(f"{shop}/hundred") as entries:
            assert sum(entry.stat().st_size for entry in entries) == 1000
        yield


def reads(shop):
    file = os.open(f"{shop}/ten.bin", os.O_RDONLY)
    total = 0
    while chunk := os.read(file, 4096):
        total += len(chunk)
    assert total == 10_000_000
    yield


def modules(shop):
    sys.path.insert(0, f"{shop}/lib")
    importlib.import_module("wide")
    yield


def bulk(shop):
    file = os.open(f"{shop}/bulk.bin", os.O_RDONLY)
    buffer = bytearray(1 << 20)
    while os.readv(file, [buffer]):
        pass
    yield


def beside(shop):
    """Each time is one round trip of the control lane, while a large file comes in the other."""
    reader = threading.Thread(target=lambda: list(bulk(shop)))
    reader.start()
    while reader.is_alive():
        os.statvfs(f"{shop}/small.txt")
        yield
    reader.join()


def alone(shop):
    for _ in range(100):
        os.statvfs(f"{shop}/small.txt")
        yield


def main():
    times, before = [], time.perf_counter()
    for _ in globals()[sys.argv[1]](sys.argv[2]):
        now = time.perf_counter()
        times.append((now - before) * 1000)
        before = time.perf_counter()
    print(json.dumps(times))


main()
