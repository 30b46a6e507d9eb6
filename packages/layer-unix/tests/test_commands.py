"""Programs that everyone has, on remote files: their output is what they print for the real ones."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from layer_programs import need
from layer_session import Session

pytestmark = pytest.mark.programs

COMMANDS = [
    "cat {}/lines",
    "cat < {}/lines",
    "head -n 2 {}/lines; tail -n 2 {}/lines",
    "tail -c 1000 {}/large | od -An -tx1",
    "head -c 100 < {}/large | od -An -c",
    "sort -r {}/lines",
    "sort -r < {}/lines",
    "sort -r /dev/stdin < {}/lines",
    "tac {}/lines",
    "uniq < {}/lines",
    "cut -c 2-4 < {}/lines",
    "wc {}/lines",
    "wc -l < {}/large",
    "md5sum {}/large",
    "sha256sum < {}/large",
    "grep -c 7 {}/lines; grep -n 77 < {}/lines",
    "sed -n 5p {}/lines; sed -n 7p < {}/lines",
    "awk '/9/ {n += length($0)} END {print n}' {}/lines",
    "awk 'END {print NR}' < {}/lines",
    'while read -r line; do echo "<$line>"; done < {}/lines',
    "exec 5< {}/lines; read -r one <&5; echo $one; cat <&5 | md5sum",
    "{ read -r one; echo $one; sort; } < {}/lines",
    'x=$(< {}/lines); echo "$x" | md5sum',
    "mapfile -n 3 a < {}/lines; echo ${a[2]}",
    "cp {}/large $OUT/copy && cmp {}/large $OUT/copy && md5sum < $OUT/copy",
    "cp -a {}/lines $OUT/kept && stat -c '%s %a %y' $OUT/kept",
    "dd if={}/large bs=100000 skip=3 count=2 status=none | md5sum",
    "dd if={}/large bs=1000000 status=none iflag=fullblock | md5sum; dd < {}/large status=none | md5sum",
    "od -An -tx1 -j 1500000 -N 64 {}/large",
    "cmp {}/large {}/large && cmp {}/large {}/lines",
    "diff {}/lines {}/link",
    "gzip -c {}/large | gunzip | md5sum; gzip < {}/large | gzip -d | md5sum",
    "tar -C {} -cf - lines large | tar -tvf - | wc -l; tar -C {} -cf - large | tar -xOf - | md5sum",
    "stat -c '%s %i %d %h %u %g %a %X %Y %Z %b %B' {}/lines {}/large {}/folder {}/link",
    "stat -L -c '%s %i %F' {}/link; stat -f -c '%s' / > /dev/null",
    "readlink {}/link; readlink -f {}/link; realpath {}/folder/../link",
    "test -r {}/lines && test ! -w {}/nothing && test -d {}/folder && test -L {}/link && test {}/large -nt {}/old; echo $?",
    "cat {}/none; cat {}/lines/none; cat {}/folder",
    "env -i cat {}/lines",
    "perl -e 'open F, shift; print scalar <F>; seek F, 90, 0; print <F>' {}/lines",
    "perl -ne 'print if /3/' < {}/lines",
    "xargs -n 2 < {}/lines echo",
    "tr a-z A-Z < {}/lines",
    "ls -ln {}; ls {}/*; ls -d {}/l*",
    "find {} -newer {}/old -type f | sort; find {} -name 'l*' -size +1 | sort",
    "rm -rf $OUT/tree; cp -r {} $OUT/tree && diff -r {} $OUT/tree && diff -r --no-dereference $OUT/tree {}",
    "tar -C {} -cf - . | tar -tvf - | sort; tar -cf - {} 2> /dev/null | wc -c",
    "du -sb {}/lines {}/large; grep -rc 77 {} | sort",
    "cd {}/folder && pwd && pwd -P && md5sum ../lines && ls .. && cat < ../lines && cd .. && stat -c %n:%i lines .",
    "cd {}/lines; cd {}/none",
    "PYTHONPATH={}/folder python -B -c 'import module; print(module.__file__, module.value)'",
    "python -c 'import sys; print(sum(sys.stdin.buffer.read()))' < {}/large",
]

PYTHON = {
    "print(open(sys.argv[1], 'rb').read()[-3:])": "large",
    "print(sum(mmap.mmap(open(sys.argv[1]).fileno(), 0, access=mmap.ACCESS_READ)))": "large",
    "print(shutil.copyfile(sys.argv[1], 'copy'), sum(open('copy', 'rb').read()))": "large",
    "print(os.stat(sys.argv[1]), os.lstat(sys.argv[1]), os.path.realpath(sys.argv[1]))": "link",
    "print(subprocess.run(['sort'], stdin=open(sys.argv[1]), capture_output=True))": "lines",
    "print(list(open(sys.argv[1])), os.listxattr('/usr'))": "lines",
    "print([(sorted(folders), sorted(files)) for _, folders, files in os.walk(os.path.dirname(sys.argv[1]))])": "lines",
}
COMMANDS += [
    f"python -c {shlex.quote(f'import mmap, os, shutil, subprocess, sys; {code}')} {{}}/{name}"
    for code, name in PYTHON.items()
]

NODE = {
    "print(fs.readFileSync(path, 'utf8').length, fs.statSync(path).ino, fs.lstatSync(path).mode)": "link",
    "print(fs.readFileSync(path).reduce((sum, byte) => sum + byte), fs.realpathSync(path))": "large",
    "fs.createReadStream(path, {start: 1000000}).on('data', (data) => print(data.length, data[0]))": "large",
    "fs.copyFileSync(path, 'node'); print(fs.readFileSync('node').equals(fs.readFileSync(path)))": "large",
    "fs.promises.readFile(path).then((data) => print(data.length))": "large",
    "print(fs.readdirSync(path).sort(), fs.existsSync(path + '/no'), fs.readFileSync(path + '/module.py'))": "folder",
    "try { fs.readFileSync(path + '/none') } catch (error) { print(error.code) }": "folder",
    "fs.accessSync(path, fs.constants.R_OK); print(fs.readlinkSync(path))": "link",
}
HEAD = "const fs = require('fs'), path = process.argv[1], print = console.log; "
COMMANDS += [f"node -e {shlex.quote(HEAD + code)} {{}}/{name}" for code, name in NODE.items()]


@pytest.fixture
def tree(truth: Path) -> Path:
    """Text, more than a megabyte, and what is not a file."""
    (truth / "old").touch()
    os.utime(truth / "old", (1, 1))
    (truth / "lines").write_text("".join(f"line {number * 7919 % 1000}\n" for number in range(100)))
    (truth / "large").write_bytes(b"".join(b"%08d\n" % number for number in range(200_000)))
    (truth / "link").symlink_to("lines")
    (truth / "folder").mkdir()
    (truth / "folder" / "module.py").write_text("value = 3")
    return truth


def outcome(done: subprocess.CompletedProcess[bytes], folder: str) -> tuple[bytes, bytes, int]:
    """What a command printed, wherever its files were."""
    return done.stdout.replace(folder.encode(), b"{}"), done.stderr.replace(folder.encode(), b"{}"), done.returncode


@pytest.mark.parametrize("kind", ["whole", "request"])
@pytest.mark.parametrize("command", COMMANDS)
def test_same_output(session: Session, tree: Path, tmp_path: Path, command: str, kind: str) -> None:
    if kind == "request":
        session.remote.request_names = {"lines"}
    for program in re.findall(r"\b(?:perl|gzip|tar|awk|node)\b", command):
        need(program)
    remote = session.path().rstrip("/")
    environment = {"OUT": str(tmp_path), "LC_ALL": "C", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    real = ["bash", "-c", command.replace("{}", str(tree))]
    plain = subprocess.run(
        real,
        env=os.environ | environment,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    seen = command.replace("{}", remote)
    under = session.run("bash", "-c", seen, env=environment, check=False, cwd=tmp_path, stdin=subprocess.DEVNULL)

    assert outcome(under, remote) == outcome(plain, str(tree))


JAVA = """
import java.io.*;
import java.nio.channels.FileChannel;
import java.nio.file.*;
import java.util.*;

class Reads {
    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]), large = folder.resolve("large");
        long sum = 0;
        for (byte each : Files.readAllBytes(large)) sum += each;
        System.out.println(sum + " " + Files.size(large) + " " + Files.getLastModifiedTime(large));
        try (FileChannel channel = FileChannel.open(large)) {
            var mapped = channel.map(FileChannel.MapMode.READ_ONLY, 900000, 500000);
            for (sum = 0; mapped.hasRemaining(); ) sum += mapped.get();
            var out = new ByteArrayOutputStream();
            try (FileChannel to = FileChannel.open(Path.of("java"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
                System.out.println(sum + " " + channel.transferTo(5, channel.size(), to));
            }
        }
        System.out.println(Files.mismatch(Files.copy(large, Path.of("java"), StandardCopyOption.REPLACE_EXISTING), large));
        try (RandomAccessFile file = new RandomAccessFile(large.toFile(), "r")) {
            file.seek(1234567);
            System.out.println(file.readLine() + file.length());
        }
        System.out.println(new TreeSet<>(Arrays.asList(folder.toFile().list())));
        System.out.println(folder.resolve("link").toRealPath() + " " + new File(arguments[0], "link").getCanonicalPath());
        System.out.println(Files.readSymbolicLink(folder.resolve("link")) + " " + Files.exists(folder.resolve("none")));
        System.out.println(Files.readAllLines(folder.resolve("lines")).size() + " " + Files.isReadable(large));
        try {
            new FileInputStream(folder.resolve("none").toFile());
        } catch (FileNotFoundException error) {
            System.out.println(error.getMessage());
        }
    }
}
"""


@pytest.mark.parametrize("kind", ["whole", "request"])
def test_java(session: Session, tree: Path, tmp_path: Path, kind: str) -> None:
    need("java")
    if kind == "request":
        session.remote.request_names = {"lines"}
    (tmp_path / "Reads.java").write_text(JAVA)
    command = ["java", "-Xint", "Reads.java"]
    plain = subprocess.run([*command, tree], cwd=tmp_path, capture_output=True, timeout=60, check=False)
    under = session.run(*command, session.path().rstrip("/"), cwd=tmp_path, check=False)

    assert outcome(under, session.path().rstrip("/")) == outcome(plain, str(tree))
