"""Reads a dotenv file of this machine; dotenv.py understands it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from mirrord_cli.environment.dotenv import BadLine, parse_dotenv
from mirrord_cli.errors import MirrordError

LARGEST = 1 << 20  # more than a program's environment holds


def read_env_file(path: str, variables: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return the variables that a file sets.

    Raises:
        MirrordError: It can't be read, or isn't a dotenv file.
    """
    try:
        with open(os.path.expanduser(path), "rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            text = f"The file of variables {path} is larger than {LARGEST} bytes."
            raise MirrordError("configuration", text, "Name a dotenv file: NAME=value lines.")
        return parse_dotenv(data, variables)
    except OSError as error:
        text = f"The file of variables {path} can't be read: {error.strerror}."
        raise MirrordError(
            "configuration", text, "Check the path given with --env-file or feature.env.env_file."
        ) from None
    except BadLine as error:
        text = f"The file of variables {path}, {error}."
        raise MirrordError("configuration", text, 'Write NAME=value, NAME="value", or # before a comment.') from None
