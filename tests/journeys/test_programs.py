"""Programs of all kinds see the target's files: shells, coreutils, Node, Java, git, sqlite3, tar, C on glibc and musl."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.run import Runner
from tests.kit.target import Target

pytestmark = pytest.mark.journey
PROGRAMS = Path(__file__).parent / "programs"

SHELL = r"""
shop=$ROOT/srv/shop
cat $shop/config.json $shop/tree/a/side.txt
sha256sum < $shop/large.bin
cksum $shop/middle.bin | cut -d ' ' -f 1,2
ls -a $shop/orders | tail -n 3
ls -l --time-style=full-iso $shop/config.json | cut -d ' ' -f 1-8
stat -c '%s %a %y %F' $shop/config.json $shop/current $shop/orders $shop/empty
find $shop/tree | sed "s,$shop,," | sort
find $shop -type l | sed "s,$shop,," | sort
du -a --apparent-size -b $shop/tree | cut -f 1 | sort -n
grep -rc line $shop/lines.txt
grep -l 'order 11$' -r $shop/orders | sed "s,$shop,,"
wc -lc $shop/lines.txt | tr -s ' ' | cut -d ' ' -f 1,2
head -c 12 $shop/large.bin | od -An -tx1
tail -c 12 $shop/large.bin | od -An -tx1
tail -n 2 $shop/lines.txt
cut -d ' ' -f 2 $shop/lines.txt | sort -n | uniq | tail -n 1
readlink $shop/current; readlink -f $shop/current/001.txt | sed "s,^${ROOT-},,"
realpath $shop/tree/../current | sed "s,^${ROOT-},,"
cmp $shop/large.bin $shop/large.bin && echo same
diff $shop/orders/001.txt $shop/orders/002.txt
cp $shop/large.bin copy && cmp copy $shop/large.bin && echo copied
cp -r $shop/tree copies && find copies | sort
dd if=$shop/large.bin bs=4k skip=1000 count=2 status=none | sha256sum
cd $shop/tree/a && pwd | sed "s,^${ROOT-},," && ls && cat b/c/deep.txt ../../config.json; cd - >/dev/null
for file in $shop/orders/00*; do read -r line < $file; echo $line; done
[ -e $shop/nothing ] || echo no; [ -d $shop/current ] && echo folder; [ -L $shop/loop ] && echo link; [ -s $shop/empty ] || echo empty
cat $shop/nothing 2>/dev/null; echo $?
mapfile -t lines < $shop/lines.txt; echo ${#lines[@]}
source /dev/stdin < $shop/run.sh.txt
exec 7< $shop/lines.txt; read -r -u 7 first; read -r -u 7 second; echo $second; exec 7<&-
while read -r one two; do sum=$((sum + two)); done < $shop/lines.txt; echo $sum
xargs -a $shop/lines.txt -n 400 echo | wc -l
test $shop/config.json -nt $shop/large.bin || echo older
"""


def test_bash_and_coreutils(runner: Runner, target: Target) -> None:
    truth = runner.plainly(target, "bash", "-c", SHELL)
    for name in ("copy", "copies"):
        shutil.rmtree(runner.folder / name, ignore_errors=True)
        (runner.folder / name).unlink(missing_ok=True)

    seen = runner.exec(target, "bash", "-c", SHELL)

    assert seen.stderr == ""
    assert seen.stdout.splitlines() == truth.splitlines()


def test_dash(runner: Runner, target: Target) -> None:
    done = runner.exec(
        target, "sh", "-c", "read line < /srv/shop/lines.txt; echo $line; cat < /srv/shop/tree/a/side.txt | tr s S"
    )

    assert (done.stderr, done.stdout) == ("", "line 0\nSide\n")


def test_node(runner: Runner, target: Target, require: Callable[[str], str]) -> None:
    command = [require("node"), str(PROGRAMS / "calls.js")]
    truth = runner.plainly(target, *command)

    seen = runner.exec(target, *command)

    assert seen.stderr == ""
    assert seen.stdout.splitlines() == truth.splitlines()


def test_java(runner: Runner, target: Target, require: Callable[[str], str]) -> None:
    subprocess.run([require("javac"), "-d", str(runner.folder), str(PROGRAMS / "Calls.java")], check=True)
    command = [require("java"), "-Xshare:auto", "-cp", str(runner.folder), "Calls"]
    truth = runner.plainly(target, *command)

    seen = runner.exec(target, *command)

    assert seen.stderr == ""
    assert seen.stdout.splitlines() == truth.splitlines()


@pytest.mark.parametrize(
    ("compiler", "flags"),
    [("gcc", ()), ("gcc", ("-D_FILE_OFFSET_BITS=64",)), ("gcc", ("-O2", "-D_FORTIFY_SOURCE=2")), ("musl-gcc", ())],
)
def test_c(
    runner: Runner, target: Target, compile_c: Callable[..., str], compiler: str, flags: tuple[str, ...]
) -> None:
    program = compile_c("calls.c", compiler, *flags)
    truth = runner.plainly(target, program)

    seen = runner.exec(target, program)

    assert seen.stderr == ""
    assert seen.stdout.splitlines() == truth.splitlines()


def test_git(runner: Runner, own_target: Target, require: Callable[[str], str]) -> None:
    """git reads a remote repository: its loose objects, packs, refs and work tree."""
    git = require("git")
    repository = str(own_target.path("/srv/repository"))
    own_target.write("/srv/repository/one.txt", "one\n")
    identity = [
        "-c",
        "user.name=A",
        "-c",
        "user.email=a@example.org",
        "-c",
        "init.defaultBranch=main",
        "-c",
        "safe.directory=*",
    ]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"], ["repack", "-qad"]):
        subprocess.run(
            [git, *identity, "-C", repository, *arguments],
            check=True,
            env={"HOME": "/nonexistent", "PATH": "/usr/bin:/bin"},
        )
    own_target.write("/srv/repository/two.txt", "two\n")

    def ask(*arguments: str) -> str:
        options = ["-c", "safe.directory=*", "--no-optional-locks", "-C", "/srv/repository"]
        done = runner.exec(own_target, git, *options, *arguments, options=("-q", "-f", str(config)))
        assert done.stderr == ""
        return done.stdout

    # git is among the build tools in which the layer stays inert by default.
    config = runner.folder / "mirrord.json"
    config.write_text('{"skip_build_tools": false}')

    assert ask("log", "--format=%s %an") == "first A\n"
    assert ask("show", "HEAD:one.txt") == "one\n"
    assert ask("status", "--porcelain") == "?? two.txt\n"
    assert ask("ls-files") == "one.txt\n"


def test_git_is_left_alone_by_default(runner: Runner, target: Target, require: Callable[[str], str]) -> None:
    done = runner.exec(target, "sh", "-c", f"{require('git')} -C /srv/shop rev-parse; cat /srv/shop/tree/a/side.txt")

    assert "/srv/shop" in done.stderr
    assert done.stdout == "side\n"


def test_sqlite(runner: Runner, own_target: Target, require: Callable[[str], str]) -> None:
    sqlite = require("sqlite3")
    database = own_target.path("/srv/data.db")
    script = "create table t(a, b); with recursive n(i) as (select 1 union all select i + 1 from n where i < 50000) insert into t select i, 'row ' || i from n;"
    subprocess.run([sqlite, str(database), script], check=True)

    done = runner.exec(
        own_target, sqlite, "-readonly", "file:/srv/data.db?immutable=1", "select count(*), sum(a), max(b) from t"
    )

    assert (done.stderr, done.stdout) == ("", "50000|1250025000|row 9999\n")


def test_tar(runner: Runner, own_target: Target, require: Callable[[str], str]) -> None:
    """tar packs a remote tree and unpacks a remote archive; what it writes lands here."""
    tar = require("tar")
    assert (
        runner.exec(
            own_target, tar, "-cf", str(runner.folder / "tree.tar"), "-C", "/srv/shop", "tree", "current", "config.json"
        ).stderr
        == ""
    )
    subprocess.run([tar, "-xf", "tree.tar"], cwd=runner.folder, check=True)
    assert (runner.folder / "tree/a/b/c/deep.txt").read_text() == "deep\n"
    assert (runner.folder / "current").readlink() == Path("orders")
    assert (runner.folder / "config.json").stat().st_mode & 0o777 == 0o640

    own_target.write("/srv/archive.tar", (runner.folder / "tree.tar").read_bytes())
    done = runner.exec(
        own_target, "sh", "-c", f"mkdir out && {tar} -xf /srv/archive.tar -C out && cat out/tree/a/side.txt"
    )

    assert (done.stderr, done.stdout) == ("", "side\n")
