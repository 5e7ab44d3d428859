"""The manual's systemd units, as systemd itself reads them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests import needs, readme
from tests.harness import LIMIT, SCRIPTS

if TYPE_CHECKING:
    from pathlib import Path

PATH = "/usr/bin:/bin"


def _objections(folder: Path, unit: str) -> str:
    """Return what systemd has to say against a unit; "" if it has nothing."""
    command = ["systemd-analyze", "verify", "--man=no", str(folder / unit)]
    env = {"PATH": PATH, "LANG": "C.UTF-8"}
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, check=False, timeout=LIMIT
    )
    # A setting that it does not know is only a warning to it.
    said = done.stdout + done.stderr
    return said or (f"status {done.returncode}" if done.returncode else "")


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Return a folder with the units as the manual has them; but for where the commands are."""
    needs.demand("systemd-analyze")
    blocks = readme.section("systemd").blocks
    service, timer = (block.text for block in blocks if block.kind == "unit")
    (tmp_path / "backup.service").write_text(service.replace("/usr/local/bin", str(SCRIPTS)))
    (tmp_path / "backup.timer").write_text(timer)
    return tmp_path


@pytest.mark.parametrize("unit", ["backup.service", "backup.timer"])
def test_systemd_accepts_the_unit_of_the_manual(unit: str, units: Path) -> None:
    assert _objections(units, unit) == ""


def test_systemd_accepts_the_service_with_a_dynamic_user(units: Path) -> None:
    service = units / "backup.service"
    text = service.read_text()
    assert "User=backup\n" in text
    service.write_text(text.replace("User=backup\n", "DynamicUser=yes\n"))

    assert _objections(units, service.name) == ""


def test_systemd_objects_to_a_setting_that_it_does_not_know(units: Path) -> None:
    """Or the tests above could not fail."""
    service = units / "backup.service"
    service.write_text(service.read_text().replace("CacheDirectoryMode=", "CacheDirectoryMod="))

    assert "CacheDirectoryMod" in _objections(units, service.name)
