"""Tests of what the installed commands promise, run as processes."""
