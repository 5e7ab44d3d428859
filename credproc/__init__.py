"""Temporary AWS credentials for every tool that reads ``credential_process``."""

__version__ = "0.2.0"
