"""What an agent does before anything large is loaded."""
