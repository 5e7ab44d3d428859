"""Requests to the simulated IMDS as the provider makes them, in this process."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from credproc.deadline import Deadline
from credproc.errors import ProviderFailed, ProviderUnavailable, clean
from credproc.log import Log
from credproc.mfa import Mfa
from credproc.providers import imds
from credproc.run import Run
from tests.servers.asking import Hurry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credproc.credentials import Credentials
    from tests.servers.base import Server
    from tests.servers.imds import ImdsServer

#: Seconds: two for IMDS, and as many again for a machine that is busy with something else.
IN_TIME = 4.0

UNAVAILABLE, FAILED = ProviderUnavailable, ProviderFailed
Outcome = type[ProviderUnavailable] | type[ProviderFailed] | None


class Told(Log):
    """Caches what it is told."""

    def __init__(self) -> None:
        super().__init__("", time.time)
        self.lines: list[str] = []

    def record(self, text: str) -> None:
        self.lines.append(text)


class Asked(NamedTuple):
    """What came of asking."""

    found: Credentials | None
    error: ProviderUnavailable | ProviderFailed | None
    seconds: float
    log: str

    @property
    def said(self) -> str:
        return str(self.error)

    @property
    def outcome(self) -> Outcome:
        return type(self.error) if self.error else None


def new_run(
    url: str,
    seconds: float = 20,
    environ: Mapping[str, str] | None = None,
    patient: bool = False,
    clock: Hurry | None = None,
) -> Run:
    """Return a run that knows of the service, and of these variables besides.

    Patient, it waits for a service that is starting: as one without valid credentials does. On the
    ``clock`` pauses take no time.
    """
    variables = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": url, "AWS_CONFIG_FILE": os.devnull}
    variables.update(environ or {})
    made = Run(variables, Deadline(seconds, clock or Hurry()), Told(), Mfa("", variables))
    made.patient = patient
    return made


def ask(run: Run, role: str = "") -> Asked:
    """Ask in this run; any other exception than the two is raised."""
    started = time.monotonic()
    found = error = None
    try:
        found = imds.Imds(role).retrieve(run)
    except (ProviderUnavailable, ProviderFailed) as raised:
        error = raised
    assert isinstance(run.log, Told)
    return Asked(found, error, time.monotonic() - started, "\n".join(run.log.lines))


def fetched(
    server: Server | str,
    role: str = "",
    seconds: float = 20,
    environ: Mapping[str, str] | None = None,
    patient: bool = False,
    clock: Hurry | None = None,
) -> Asked:
    """Ask a service for the role's credentials in a run of its own."""
    url = server if isinstance(server, str) else server.url
    return ask(new_run(url, seconds, environ, patient, clock), role)


def is_well_behaved(server: ImdsServer, outcome: Asked) -> None:
    """Check what holds for every conversation, however it ends."""
    assert server.v1_requests == 0
    for request in server.requests:
        assert request.path.startswith("/latest/"), request
        assert "authorization" not in request.headers, request
        assert "x-forwarded-for" not in request.headers, request
        assert request.headers["user-agent"].startswith("credproc/"), request
        assert (request.method == "PUT") == ("token" in request.labels), request
        assert (request.method == "GET") == ("x-aws-ec2-metadata-token" in request.headers), request
    assert len({request.headers["user-agent"] for request in server.requests}) <= 1
    assert outcome.seconds < IN_TIME
    assert outcome.said == clean(outcome.said)
    assert len(outcome.said) < 500
    for secret in server.secrets:
        assert secret not in outcome.said
        assert secret not in outcome.log
