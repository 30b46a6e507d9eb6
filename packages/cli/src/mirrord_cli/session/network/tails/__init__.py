"""The last bytes of connections whose programs have ended."""
