"""Tests of one module each, in process."""
