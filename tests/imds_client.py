"""Requests to the simulated IMDS as the provider makes them, in this process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from credproc.deadline import Deadline
from credproc.errors import ProviderFailed, ProviderUnavailable, clean
from credproc.mfa import Mfa
from credproc.providers import imds
from credproc.run import Run
from tests.runs import Hurry, Outcome, RecordedLog, called

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.servers.base import Server
    from tests.servers.imds import ImdsServer

#: Seconds: two for IMDS, and as many again for a machine that is busy with something else.
IN_TIME = 4.0

UNAVAILABLE, FAILED = ProviderUnavailable, ProviderFailed
Kind = type[ProviderUnavailable] | type[ProviderFailed] | None


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
    made = Run(variables, Deadline(seconds, clock or Hurry()), RecordedLog(), Mfa("", variables))
    made.patient = patient
    return made


def call(run: Run, role: str = "") -> Outcome:
    """Call the provider in this run; any other exception than the two is raised."""
    return called(run, imds.Imds(role).retrieve, (UNAVAILABLE, FAILED))


def fetched(
    server: Server | str,
    role: str = "",
    seconds: float = 20,
    environ: Mapping[str, str] | None = None,
    patient: bool = False,
    clock: Hurry | None = None,
) -> Outcome:
    """Fetch the role's credentials from a service, in a run of its own."""
    url = server if isinstance(server, str) else server.url
    return call(new_run(url, seconds, environ, patient, clock), role)


def is_well_behaved(server: ImdsServer, outcome: Outcome) -> None:
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
    text = str(outcome.error)
    assert text == clean(text)
    assert len(text) < 500
    for secret in server.secrets:
        assert secret not in text
        assert secret not in outcome.log
