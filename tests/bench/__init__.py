"""The benchmarks: run by hand, never part of the tests."""
