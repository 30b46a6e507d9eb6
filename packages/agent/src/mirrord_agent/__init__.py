"""The process beside the target. `python -m mirrord_agent --help` says how it is started; nothing is imported here."""

__version__ = "0.1.0"
