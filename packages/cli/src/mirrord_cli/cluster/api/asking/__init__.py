"""One question to the API server, asked once."""
