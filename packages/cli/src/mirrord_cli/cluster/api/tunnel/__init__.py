"""Connections of urllib3 by a SOCKS proxy, which it can't do itself without another library."""
