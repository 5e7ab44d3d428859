"""credprocctl, the command for people: set up credproc, inspect its cache, diagnose problems."""
