"""`mirrord`: runs a command; an error becomes words on standard error and an exit code by its category."""

from __future__ import annotations

import os
import sys

from mirrord_cli.errors import INTERRUPTED, MirrordError


def main() -> int:
    """Run the command line of this process; its exit code."""
    sys.path[:] = own_modules_first(sys.path, os.environ.get("PYTHONPATH", ""))
    try:
        from mirrord_cli.commands.group import run  # an interrupt may come while it loads

        return run(sys.argv[1:])
    except MirrordError as error:
        failed = error
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last one to see it; it becomes a word for a person and a log
        failed = _defect(error)
    from mirrord_cli.ui import Screen

    Screen(os.environ).error(failed)
    return failed.exit_code


def own_modules_first(path: list[str], python_path: str) -> list[str]:
    """Return a module search path in which the folders of PYTHONPATH come last.

    They are meant for the program: a module there must not stand in for one that mirrord loads.
    """
    programs = {os.path.abspath(folder) for folder in python_path.split(os.pathsep) if folder}
    return sorted(path, key=lambda folder: os.path.abspath(folder) in programs)


def _defect(error: Exception) -> MirrordError:
    import traceback

    from mirrord_cli.launch.log import new_log

    text = f"mirrord made a mistake of its own: {type(error).__name__}: {error}"
    path = new_log(os.environb)
    if path is None:
        return MirrordError("us", text, "".join(traceback.format_exception(error)))
    with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
        traceback.print_exception(error, file=file)
    return MirrordError("us", text, f"Please report it, with the log: {os.fsdecode(path)}")


if __name__ == "__main__":
    sys.exit(main())
