"""TLS towards an API server: what is trusted and shown, and what an error of it means."""
