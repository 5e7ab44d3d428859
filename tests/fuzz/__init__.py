"""Fuzzing: what others wrote is read without surprise. ``python -m tests.fuzz`` runs it by hand."""
