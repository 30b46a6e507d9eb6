"""What is said to a proxy, so that it carries bytes to a server. machine.py only: whoever dials has the socket."""
