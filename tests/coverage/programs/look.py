"""Looks at a tree in the ways that Python programs do."""

import glob
import importlib
import linecache
import mmap
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import zipfile

root, out = sys.argv[1:]


def show(*values):
    print(*(str(value).replace(root, "ROOT") for value in values))


lines = os.path.join(root, "lines")
show(open(lines).readline(), pathlib.Path(lines).read_bytes()[-5:], linecache.getline(lines, 3))
with open(os.path.join(root, "large"), "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
    show(len(memory), memory[1_900_000:1_900_004])
show(sorted(os.listdir(root)), sorted(entry.name for entry in os.scandir(root) if entry.is_dir()))
show(sorted((top, sorted(folders), sorted(files)) for top, folders, files in os.walk(root)))
show(sorted(top for top, _, _, _ in os.fwalk(os.path.join(root, "folder"))))
show(sorted(glob.glob(root + "/*/*")), sorted(map(str, pathlib.Path(root).rglob("l*"))))
for name in ("lines", "link", "dangling", "none", "folder", "lines/none"):
    path = os.path.join(root, name)
    show(
        name,
        os.path.exists(path),
        os.path.isdir(path),
        os.path.islink(path),
        os.access(path, os.R_OK),
        os.path.realpath(path),
    )
    for ask in (os.stat, os.lstat, os.readlink, os.listdir, os.statvfs, open):
        try:
            ask(path)
        except OSError as error:
            show(name, ask.__name__, error)
folder = os.open(os.path.join(root, "folder"), os.O_RDONLY | os.O_DIRECTORY)
show(sorted(os.listdir(folder)), os.stat("deep", dir_fd=folder).st_mode, os.readlink("up", dir_fd=folder))
show(os.read(os.open("deep/file", os.O_RDONLY, dir_fd=folder), 100), os.access("deep", os.X_OK, dir_fd=folder))
os.chdir(os.path.join(root, "folder"))
show(os.getcwd(), sorted(os.listdir(".")), open("deep/../../lines").readline(), os.path.realpath("up"))
os.fchdir(folder)
show(os.path.exists("deep/file"), subprocess.run(["cat", "deep/file"], capture_output=True, check=True).stdout)
os.chdir(out)
shutil.copytree(os.path.join(root, "folder"), "copied", symlinks=True)
shutil.copy2(os.path.join(root, "large"), "copy")
show(sorted(os.listdir("copied")), os.path.getsize("copy"))
sys.path.insert(0, root)
show(importlib.import_module("shop.prices").PRICE, importlib.import_module("shop").__file__)
show(sqlite3.connect(f"file:{root}/shop.db?mode=ro", uri=True).execute("select * from fruit").fetchall())
show(
    tarfile.open(os.path.join(root, "shop.tar")).getnames(), zipfile.ZipFile(os.path.join(root, "shop.zip")).namelist()
)
