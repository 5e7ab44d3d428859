"""What is distributed."""
