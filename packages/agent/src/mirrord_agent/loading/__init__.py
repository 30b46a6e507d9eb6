"""What is loaded late, and whether it may still be read then."""
