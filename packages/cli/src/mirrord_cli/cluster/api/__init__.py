"""Questions to the API server, and what comes of them."""
