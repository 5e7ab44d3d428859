"""The files that `python3 tests/release.py` writes in addition to the distributions."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import credproc
from tests import artefacts

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
@pytest.mark.needs("network")
@pytest.mark.timeout(300)
def test_release_has_checksums_and_a_bill_of_materials(dist: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(artefacts.source() / "tests" / "release.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done
    name = f"credproc-{credproc.__version__}"
    files = {f"{name}.tar.gz", f"{name}-py3-none-any.whl", f"{name}.cdx.json"}
    assert {path.name for path in tmp_path.iterdir()} == files | {"SHA256SUMS"}
    for line in (tmp_path / "SHA256SUMS").read_text().splitlines():
        digest, file = line.split("  ")
        assert hashlib.sha256((tmp_path / file).read_bytes()).hexdigest() == digest
        files.remove(file)
    assert files == set()
    assert (tmp_path / f"{name}.tar.gz").read_bytes() == (dist / f"{name}.tar.gz").read_bytes()
    bill = (tmp_path / f"{name}.cdx.json").read_text()
    found = {component["name"]: component for component in json.loads(bill)["components"]}
    assert {"credproc", "boto3", "botocore", "filelock", "platformdirs"} <= found.keys()
    assert not {"pip", "pytest", "setuptools"} & found.keys()
    assert found["credproc"]["version"] == credproc.__version__
    assert str(tmp_path.parent) not in bill
    assert "file:" not in bill
