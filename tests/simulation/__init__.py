"""A fleet that renews its credentials, simulated; and one host that really does."""
