"""What can be tested of macOS on Linux with another name (see tests/standin.py)."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests import cachedir, standin
from tests.cloud import CHAIN, PROFILES
from tests.harness import CREDPROC

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cloud import Cloud
    from tests.harness import Host

#: What the C library of macOS has and Linux's has not.
LIBRARY = """
#include <string.h>
#include <time.h>
int sysctlbyname(const char *name, void *old, size_t *size, void *new, size_t length) {
    const char *value = "0B7F2C63-1F0E-4E33-8F63-0A6C0F6E7D11";
    if (strcmp(name, "kern.bootsessionuuid") || new || length || *size <= strlen(value)) return -1;
    strcpy(old, value);
    *size = strlen(value) + 1;
    return 0;
}
int gethostuuid(unsigned char id[16], const struct timespec *wait) {
    if (wait->tv_sec != 1 || wait->tv_nsec != 0) return -1;
    for (int i = 0; i < 16; i++) id[i] = i;
    return 0;
}
"""


@pytest.fixture
def mac(cloud: Cloud) -> Cloud:
    """A substitute for a Mac."""
    standin.darwin(cloud.host)
    return cloud


@pytest.mark.parametrize("argv", [(), CHAIN, ("--profile", "two")], ids=" ".join)
def test_credentials_come_and_are_cached_in_library_caches(
    mac: Cloud, argv: tuple[str, ...]
) -> None:
    mac.host.config(PROFILES)
    document = mac.host.run(*argv).stdout
    calls = len(mac.sts.calls) + len(mac.imds.requests)
    again = mac.host.run(*argv)

    assert again.document
    assert again.stdout == document
    assert len(mac.sts.calls) + len(mac.imds.requests) == calls
    caches = mac.host.home / "Library" / "Caches" / "credproc"
    assert cachedir.entries(caches)
    assert not (mac.host.home / ".cache").exists()


def test_hit_loads_no_more_than_on_linux(mac: Cloud) -> None:
    mac.host.run(*CHAIN)
    hit = mac.host.run(*CHAIN, PYTHONPROFILEIMPORTTIME="1")

    loaded = set(re.findall(r"\| +([\w.]+)$", hit.stderr, re.MULTILINE))
    assert "credproc.cache" in loaded
    assert loaded.isdisjoint({"ctypes", "credproc.darwin", "credproc.cli", "platformdirs"})


@pytest.mark.needs("cc")
def test_ids_come_from_the_c_library(host: Host, tmp_path: Path) -> None:
    standin.darwin(host)
    source, library = tmp_path / "mac.c", tmp_path / "mac.so"
    source.write_text(LIBRARY)
    compiler = shutil.which("cc")
    assert compiler
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    code = "from credproc import system; print(system.boot_id(), system.machine_id())"
    ids = host.run("-c", code, command=sys.executable, LD_PRELOAD=str(library))
    without = host.run("-c", code, command=sys.executable)

    assert ids.stdout.split() == [
        b"0B7F2C63-1F0E-4E33-8F63-0A6C0F6E7D11",
        b"000102030405060708090a0b0c0d0e0f",
    ]
    assert without.stdout.decode().split() == [_node()]


def _node() -> str:
    from credproc import system

    return system.host_name()


def test_explain_names_the_directory(mac: Cloud) -> None:
    said = mac.host.run("explain", "--", *CHAIN, command=f"{sys.prefix}/bin/credprocctl")

    assert said.status == 0
    assert f"{mac.host.home}/Library/Caches/credproc" in said.stdout.decode()


@pytest.mark.needs("root", "unshare", "mount")
def test_everything_works_without_proc(mac: Cloud) -> None:
    hidden = ["-m", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh", str(CREDPROC)]
    stuck = mac.host.folder / "stuck"
    stuck.write_text("#!/bin/sh\ntrap '' TERM\necho no >&2\nwhile :; do sleep 1; done\n")
    stuck.chmod(0o700)
    mac.host.config(f"{PROFILES}[profile stuck]\ncredential_process = {stuck}\n")
    mac.host.environ["XDG_CACHE_HOME"] = str(mac.host.home / ".cache")

    document = mac.host.run(*hidden, *CHAIN, command="unshare").stdout
    mac.leave("ahead")
    assert mac.host.run(*hidden, *CHAIN, command="unshare").stdout == document
    mac.host.settle()  # the refresh in the background, of a new interpreter
    again = mac.host.run(*hidden, *CHAIN, command="unshare")
    assert again.document["AccessKeyId"] == mac.sts.issued[-1].access_key
    assert mac.roles == (2, 2)

    late = mac.host.run(*hidden, "--profile", "stuck", "--timeout", "5", command="unshare")
    assert late.status == 1
    assert "stuck took longer than" in late.stderr
    mac.host.settle()  # without a list of processes, the helper's own `sleep 1` is not killed
