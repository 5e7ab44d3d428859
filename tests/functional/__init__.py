"""Promises kept by the installed command, as a process of its own."""
