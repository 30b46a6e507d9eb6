"""`mirrord`: what the developer runs, and the session behind it. docs/architecture.md has the map."""

VERSION = "0.1.0"
