"""Loopback stand-ins for the services that credproc talks to."""
