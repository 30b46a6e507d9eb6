"""The session's side of the status socket."""
