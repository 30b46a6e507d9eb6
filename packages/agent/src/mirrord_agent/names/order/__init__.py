"""The order of a name's addresses, as seen from the target."""
