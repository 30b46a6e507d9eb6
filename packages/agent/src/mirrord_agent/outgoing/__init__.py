"""Connections and datagrams that leave from the target."""
