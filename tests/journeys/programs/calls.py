"""Look at files in every way that Python programs do, and print an answer a line.

Run under mirrord, and plainly with ROOT leading into the target's root.
"""

import errno
import fcntl
import glob
import hashlib
import json
import mmap
import os
import pathlib
import shutil
import stat
import subprocess
import tempfile

ROOT = os.environ.get("ROOT", "")
SHOP = ROOT + "/srv/shop"


def tell(name, function):
    try:
        answer = function()
    except OSError as error:
        answer = errno.errorcode[error.errno]
    print(name, json.dumps(answer, default=str), sep="\t")


def digest(data):
    return hashlib.sha256(data).hexdigest()


def strip(path):
    return str(path).removeprefix(ROOT)


def fields(status):
    return [
        status.st_mode,
        status.st_size,
        status.st_mtime_ns,
        status.st_atime_ns > 0,
        status.st_ino,
        status.st_nlink,
        status.st_uid,
        status.st_gid,
        status.st_blocks,
        status.st_ctime_ns,
    ]


def descriptor(path, flags=os.O_RDONLY):
    return os.fdopen(os.open(f"{SHOP}/{path}", flags), "rb", buffering=0)


def reads():
    with descriptor("large.bin") as file:
        a, b = bytearray(10), bytearray(20)
        return [
            file.read(7).hex(),
            os.pread(file.fileno(), 9, 5_000_000).hex(),
            file.seek(-8, os.SEEK_END),
            file.read().hex(),
            os.lseek(file.fileno(), 100, os.SEEK_SET),
            os.readv(file.fileno(), [a, b]),
            digest(a + b),
            os.preadv(file.fileno(), [a, b], 3_000_001),
            digest(a + b),
            file.seek(0, os.SEEK_CUR),
        ]


def maps():
    with descriptor("large.bin") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as memory:
        return [
            len(memory),
            digest(memory[4_000_000:4_100_000]),
            memory.find((1_400_000).to_bytes(4, "big"), 5_000_000),
        ]


def duplicates():
    with descriptor("config.json") as file:
        copies = [os.dup(file.fileno()), fcntl.fcntl(file.fileno(), fcntl.F_DUPFD, 50), os.dup2(file.fileno(), 77)]
        os.read(copies[0], 3)
        answer = [os.read(copy, 4).decode() for copy in copies] + [os.fstat(copies[1]).st_mtime_ns]
        os.closerange(copies[1], 78)
        return answer


def send():
    with descriptor("middle.bin") as file, tempfile.TemporaryFile() as out:
        while os.sendfile(out.fileno(), file.fileno(), None, 1 << 20):
            pass
        out.seek(0)
        return digest(out.read())


def copy_range():
    with descriptor("middle.bin") as file, tempfile.TemporaryFile() as out:
        try:
            while os.copy_file_range(file.fileno(), out.fileno(), 1 << 20):
                pass
        except OSError as error:
            # Between file systems not every kernel does it, and programs fall back.
            if error.errno not in {errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP}:
                raise
            shutil.copyfileobj(file, out)
        out.seek(0)
        return digest(out.read())


def copy():
    with tempfile.TemporaryDirectory() as folder:
        return digest(pathlib.Path(shutil.copyfile(f"{SHOP}/large.bin", f"{folder}/copy")).read_bytes())


def folders():
    before = os.getcwd()
    os.chdir(f"{SHOP}/tree/a")
    try:
        return [
            sorted(os.listdir()),
            open("b/c/deep.txt").read(),
            open("../../config.json").read(),
            os.stat("side.txt").st_ino,
            os.path.exists("nothing"),
        ]
    finally:
        os.chdir(before)


def below():
    folder = os.open(f"{SHOP}/tree", os.O_RDONLY | os.O_DIRECTORY)
    try:
        inner = os.open("a/b", os.O_RDONLY, dir_fd=folder)
        try:
            return [
                os.stat("c/deep.txt", dir_fd=inner).st_size,
                sorted(os.listdir(folder)),
                os.readlink("../current", dir_fd=folder),
                fields(os.fstat(inner)),
                os.access("a/side.txt", os.R_OK, dir_fd=folder),
            ]
        finally:
            os.close(inner)
    finally:
        os.close(folder)


tell("text", lambda: pathlib.Path(SHOP, "config.json").read_text())
tell("lines", lambda: [line.strip() for line in open(f"{SHOP}/lines.txt")][-3:])
tell("empty", lambda: open(f"{SHOP}/empty").read())
tell("large", lambda: digest(open(f"{SHOP}/large.bin", "rb").read()))
tell("reads", reads)
tell("maps", maps)
tell("duplicates", duplicates)
tell("sendfile", send)
tell("copy_file_range", copy_range)
tell("copyfile", copy)
tell("chdir", folders)
tell("dir_fd", below)
for name in (
    "config.json",
    "large.bin",
    "orders",
    "current",
    "loop",
    "dangling",
    "nothing",
    "config.json/x",
    "tree/a/../a",
):
    tell(f"stat {name}", lambda name=name: fields(os.stat(f"{SHOP}/{name}")))
    tell(f"lstat {name}", lambda name=name: fields(os.lstat(f"{SHOP}/{name}")))
    tell(f"open {name}", lambda name=name: os.close(os.open(f"{SHOP}/{name}", os.O_RDONLY)))
    tell(f"nofollow {name}", lambda name=name: os.close(os.open(f"{SHOP}/{name}", os.O_RDONLY | os.O_NOFOLLOW)))
    tell(f"list {name}", lambda name=name: sorted(os.listdir(f"{SHOP}/{name}")))
    tell(f"readlink {name}", lambda name=name: os.readlink(f"{SHOP}/{name}"))
    tell(f"access {name}", lambda name=name: [os.access(f"{SHOP}/{name}", mode) for mode in (os.F_OK, os.R_OK)])
    tell(f"realpath {name}", lambda name=name: strip(os.path.realpath(f"{SHOP}/{name}")) if name != "loop" else None)
tell("fstat", lambda: fields(os.fstat(descriptor("config.json").fileno())))
tell("fstat large", lambda: fields(os.fstat(descriptor("large.bin").fileno())))
tell(
    "scandir",
    lambda: sorted((entry.name, entry.is_dir(), entry.is_symlink(), entry.inode()) for entry in os.scandir(SHOP)),
)
tell("walk", lambda: [(strip(top), sorted(folders), sorted(files)) for top, folders, files in sorted(os.walk(SHOP))])
tell("glob", lambda: sorted(map(strip, glob.glob(f"{SHOP}/**/*e*.txt", recursive=True))))
tell("pathlib glob", lambda: sorted(map(strip, pathlib.Path(SHOP).glob("tree/*/*/*"))))
tell("is_dir", lambda: [stat.S_ISDIR(os.stat(f"{SHOP}/{name}").st_mode) for name in ("orders", "current", "empty")])
tell("write to a reading descriptor", lambda: os.write(os.open(f"{SHOP}/config.json", os.O_RDONLY), b"x"))
tell("bytes", lambda: sorted(os.listdir(os.fsencode(f"{SHOP}/tree/a")))[0].decode())
tell(
    "inherited stdin",
    lambda: subprocess.run(["cat"], stdin=descriptor("config.json"), capture_output=True).stdout.decode(),
)
tell("statvfs", lambda: os.statvfs(f"{SHOP}/config.json").f_namemax)
