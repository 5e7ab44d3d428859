"""Files of thousands of profiles: the work grows as they do, and no faster."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from credproc import inifile
from credproc.ctl import profile_show
from credproc.ctl.output import Console

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

PROFILE = """\
[profile p{number}]
region = eu-west-1
credential_process = /usr/bin/credproc --imds role{number}

"""


def config(count: int) -> str:
    return "".join(PROFILE.format(number=number) for number in range(count))


def calls(work: Callable[[], object]) -> int:
    """Return how many functions are called, which no load of the machine changes."""
    count = 0

    def note(_: object, event: str, __: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def test_showing_all_profiles_is_linear(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "config"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))

    def work() -> None:
        found = profile_show.shown(argparse.Namespace(name=None), Console({})).data
        assert len(found) == count

    counts = []
    for count in (10, 50, 100):
        path.write_text(config(count))
        counts.append(calls(work))
    assert counts[2] - counts[1] < 1.4 * (counts[1] - counts[0]) * 50 / 40


def test_reading_a_config_for_a_miss_is_linear() -> None:
    def work(text: str) -> int:
        return calls(lambda: inifile.profile_map(inifile.read(text)))

    assert work(config(1000)) < 11 * work(config(100))
