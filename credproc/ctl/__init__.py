"""credprocctl, for people: set up, look inside, find out why it does not work."""
