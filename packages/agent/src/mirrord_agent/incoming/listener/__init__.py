"""Where redirected connections arrive."""
