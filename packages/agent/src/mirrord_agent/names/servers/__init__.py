"""Questions to DNS servers, and their answers."""
