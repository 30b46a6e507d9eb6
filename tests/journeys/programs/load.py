"""Keeps the target's files busy from threads and children, and checks every byte. Run as a program under mirrord.

Prints a line for each round of work until its input ends or a call fails; then some more rounds, in which whatever fails
must fail with EIO, and at last what went wrong beside that. Content is as programs/../test_break.py writes it.
"""

import errno
import os
import random
import subprocess
import sys
import threading

SEED, LARGE_SIZE, SMALL = int(sys.argv[1]), int(sys.argv[2]), 50
THREADS, AFTER = 6, 12

wrong: list[str] = []
ending = threading.Event()
line = threading.Lock()


def large_at(offset: int, size: int) -> bytes:
    first, last = offset // 4, (offset + size + 3) // 4
    words = b"".join((number + 1).to_bytes(4, "big") for number in range(first, last))
    return words[offset - first * 4 :][: min(size, LARGE_SIZE - offset)]


def small(random_: random.Random) -> None:
    number = random_.randrange(SMALL)
    with open(f"/srv/small/{number}", "rb") as file:
        check("small", file.read(), b"small %d\n" % number)


def large(random_: random.Random) -> None:
    name = f"/srv/large/{random_.randrange(4)}"
    descriptor = os.open(name, os.O_RDONLY)
    try:
        for _ in range(3):
            offset, size = random_.randrange(LARGE_SIZE), random_.randrange(1, 20_000)
            check(name, os.pread(descriptor, size, offset), large_at(offset, size))
    finally:
        os.close(descriptor)


def listing(random_: random.Random) -> None:
    names = sorted(os.listdir("/srv/small"), key=int)
    check("listing", names, [str(number) for number in range(SMALL)])
    check("size", os.stat(f"/srv/small/{random_.choice(names)}").st_size // 8, 1)


def nothing(random_: random.Random) -> None:
    try:
        os.stat(f"/srv/nothing/{random_.randrange(1000)}")
    except FileNotFoundError:
        return
    wrong.append("what isn't there has a stat")


def child(random_: random.Random) -> None:
    number = random_.randrange(SMALL)
    done = subprocess.run(["cat", f"/srv/small/{number}"], capture_output=True, check=False)
    if done.returncode and b"Input/output error" in done.stderr:
        raise OSError(errno.EIO, "in a child")
    check("child", (done.returncode, done.stdout, done.stderr), (0, b"small %d\n" % number, b""))


def check(what: str, seen: object, expected: object) -> None:
    if seen != expected:
        wrong.append(f"{what}: {seen!r:.200} in place of {expected!r:.200}")


def work(thread: int) -> None:
    random_ = random.Random(SEED * 1000 + thread)
    left = AFTER
    while left:
        try:
            random_.choice((small, small, large, large, listing, nothing, child))(random_)
        except OSError as error:
            if error.errno != errno.EIO:
                wrong.append(repr(error))
            ending.set()
        if ending.is_set():
            left -= 1
        else:
            with line:
                print("round", flush=True)


def wait_end() -> None:
    sys.stdin.buffer.read()
    ending.set()


threading.Thread(target=wait_end, daemon=True).start()
threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("wrong:", wrong[:5], flush=True)
os._exit(0)
