"""--timeout limits the whole run, wherever it is stuck."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.functional.stuck import KEYS, ROLE, STUCK, A, Place, Stuck

#: Seconds: enough for a run to get stuck, and to end after its deadline, on a machine that does
#: other things. With nothing else to do it takes a tenth of a second, and half a second.
TIMEOUT, SLACK = 4.0, 10.0


def start(place: Place, stuck: Stuck, *argv: str, **env: Any) -> Any:
    """Start the run that gets stuck."""
    return place.host.start(*stuck.argv, *argv, **{**stuck.env, **env})


@pytest.mark.parametrize("name", STUCK)
def test_stuck_run_ends_with_its_deadline(place: Place, name: str) -> None:
    stuck = STUCK[name](place)
    process = start(place, stuck, "--timeout", f"{TIMEOUT:g}")
    stuck.wait()
    result = process.wait()

    assert (result.status, result.stdout) == (1, b"")
    assert result.stderr.startswith("credproc: ")
    assert result.stderr.count("\n") == 1
    assert len(result.stderr) < 600
    assert result.seconds < TIMEOUT + SLACK
    stuck.heal()
    place.host.settle(SLACK)


@pytest.mark.parametrize("name", ["sts", "helper", "imds token", "mfa command", "lock"])
def test_message_says_how_long_it_waited_and_for_what(place: Place, name: str) -> None:
    stuck = STUCK[name](place)
    process = start(place, stuck, "--timeout", f"{TIMEOUT:g}")
    stuck.wait()
    said = process.wait().stderr

    words = {
        "sts": rf"role 1 of 2, {A}: no complete answer from STS in us-east-1 within \d",
        "helper": r"profile p: credential_process helper took longer than \d",
        "imds token": r"sent no token within \d s",
        "mfa command": rf"role 1 of 1, {A}: --mfa-command: .*/helper took longer than \d",
        "lock": rf"role 1 of 1, {A}: no (complete )?answer .*within \d",
    }
    assert re.search(words[name], said), said


def test_time_is_shared_by_all_providers(place: Place) -> None:
    for name in ("imds token", "sts"):
        STUCK[name](place)
    result = place.host.run("--imds", *ROLE, "--timeout", f"{TIMEOUT:g}", **KEYS)

    assert (result.status, result.stdout) == (1, b"")
    assert TIMEOUT / 2 < result.seconds < 2 * TIMEOUT
