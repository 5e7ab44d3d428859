"""Temporary AWS credentials for every tool that reads ``credential_process``."""

__version__ = "0.1.0"
