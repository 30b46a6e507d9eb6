"""Runs a credential plug-in, with the terminal if it may have it. What it is told and says is in machine.py."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress

from mirrord_cli.cluster.access.kubeconfig import Cluster, Plugin
from mirrord_cli.cluster.access.machine import Credentials
from mirrord_cli.cluster.access.plugin.machine import (
    MOST,
    environment_for,
    failed,
    may_ask,
    missing,
    not_runnable,
    read_answer,
    unusable,
)

PIECE = 64 << 10
ERRORS = 4096
"""So many last bytes of its standard error are looked at."""


def run_plugin(plugin: Plugin, cluster: Cluster, authorities: bytes, variables: Mapping[str, str]) -> Credentials:
    """Return the credentials that a program has.

    What it writes to standard error is seen at once: it may tell the user where to sign in.

    Args:
        plugin: The program.
        cluster: Told to it if it wants that.
        authorities: Who may sign for the cluster, PEM.
        variables: The environment that it gets, and PATH by which it is found.

    Raises:
        MirrordError: It isn't there, can't be run, fails, or answers with something else.
    """
    interactive = may_ask(plugin, terminal=sys.stdin is not None and sys.stdin.isatty())
    environment = environment_for(plugin, cluster, authorities, variables, interactive=interactive)
    try:
        process = subprocess.Popen(
            [_find(plugin.command, variables), *plugin.args],
            env=environment,
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            # A program that asks should see that it has a terminal there too.
            stderr=None if interactive else subprocess.PIPE,
        )
    except FileNotFoundError:
        raise missing(plugin) from None
    except OSError as error:
        raise not_runnable(plugin, error.strerror or str(error)) from None
    with process:
        try:
            output, errors = _listen(plugin, process)
            code = process.wait()
        except BaseException:
            process.kill()
            raise
    if code:
        raise failed(plugin, code, errors)
    return read_answer(plugin, output)


def _find(command: str, variables: Mapping[str, str]) -> str:
    """Return where a command lies, by the user's PATH. Raises FileNotFoundError."""
    if os.sep in command:
        return command
    for folder in variables.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, command)
        if folder and os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    raise FileNotFoundError(command)


def _listen(plugin: Plugin, process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """Return what a program writes until it closes its output, and the last of what it complains; pass complaints on."""
    assert process.stdout is not None
    output, errors = bytearray(), b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if process.stderr is not None:
            os.set_blocking(process.stderr.fileno(), False)
            selector.register(process.stderr, selectors.EVENT_READ)
        while process.stdout.fileno() in selector.get_map():
            for key, _ in selector.select():
                piece = os.read(key.fd, PIECE)
                if not piece:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stderr:
                    errors = _pass_on(piece, errors)
                else:
                    output += piece
                    if len(output) > MOST:
                        raise unusable(plugin, "it is too long")
    process.wait()
    if process.stderr is not None:
        with suppress(BlockingIOError):  # a child of it may have it open for long
            while piece := os.read(process.stderr.fileno(), PIECE):
                errors = _pass_on(piece, errors)
    return bytes(output), errors


def _pass_on(piece: bytes, before: bytes) -> bytes:
    """Write a complaint to standard error, and return the last of all that came."""
    with suppress(OSError):  # nobody reads it
        os.write(2, piece)
    return (before + piece)[-ERRORS:]
