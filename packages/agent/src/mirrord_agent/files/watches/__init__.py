"""Whether a listed directory has changed."""
