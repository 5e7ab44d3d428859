"""credprocctl cache: what is held is shown for what it is, and removed without harm to runs."""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from credproc.cache import Entry, fingerprint
from credproc.store import Store
from tests import cachedir
from tests.ctl import CREDPROCCTL, ctl, data, failed, real

if TYPE_CHECKING:
    from tests.harness import Host
    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer

JUMP = "arn:aws:iam::123456789012:role/jump"
APP = "arn:aws:iam::444455556666:role/app"
CHAIN = (
    "--role-arn", JUMP, "--role-arn", APP, "--external-id", "geheim", "--source", "imds",
)  # fmt: skip


@pytest.fixture
def cloud(online: Host) -> Host:
    """A machine with an instance role, an STS and a region."""
    online.environ["AWS_REGION"] = "eu-central-1"
    return online


def entries(host: Host) -> list[dict[str, Any]]:
    """Return what is held."""
    return list(data(host, "cache", "list")["entries"])


def test_all_of_it_by_real_processes(cloud: Host) -> None:
    cloud.run("--imds")
    (held,) = entries(cloud)

    said = [
        real(cloud, "cache", "path"),
        real(cloud, "cache", "list"),
        real(cloud, "cache", "show", held["id"]),
        real(cloud, "cache", "prune"),
        real(cloud, "cache", "clear", held["id"]),
    ]

    assert [text.splitlines()[0] for text in said] == [
        f"{cloud.cache}",
        f"{cloud.cache}: 1 entry",
        f"id          {held['id']}",
        f"{cloud.cache}: nothing to remove",
        f"{held['id']} (--imds): removed",
    ]


def test_empty_cache(host: Host) -> None:
    assert ctl(host, "cache", "list") == f"{host.cache}: nothing is held\n"
    assert data(host, "cache", "list")["entries"] == []
    assert not host.cache.exists()


def test_path_is_the_one_that_credproc_uses(host: Host) -> None:
    assert ctl(host, "cache", "path") == f"{host.cache}\n"
    assert ctl(host, "cache", "path", CREDPROC_CACHE_DIR="/x") == "/x\n"
    assert ctl(host, "cache", "path", "--cache-dir", "/y", CREDPROC_CACHE_DIR="/x") == "/y\n"
    assert ctl(host, "cache", "path", XDG_CACHE_HOME="/z") == "/z/credproc\n"
    assert data(host, "cache", "path") == {"path": str(host.cache), "exists": False}
    assert "--cache-dir: must be an absolute path" in failed(
        host, "cache", "path", "--cache-dir", "x", status=2
    )


def test_cache_without_a_place_is_off_by_the_variable_that_says_so(host: Host) -> None:
    error = failed(host, "cache", "path", CREDPROC_CACHE_DIR="x/y")

    assert error == (
        "the cache is off: CREDPROC_CACHE_DIR=x/y is no absolute path: make it one, or unset it"
    )


def test_what_is_held_stands_below_what_it_is_for(cloud: Host) -> None:
    cloud.run(*CHAIN)
    cloud.run("--imds", "app")

    lines = ctl(cloud, "cache", "list").splitlines()

    assert lines[0] == f"{cloud.cache}: 5 entries"
    assert lines[1].split() == ["ID", "STATE", "EXPIRES", "AGE", "ACCOUNT", "FOR"]
    place = lines[1].index("FOR")
    shown = [line[place:] for line in lines[2:]]
    chain = shown.index(f"--role-arn {JUMP} --role-arn {APP} --external-id ... --source imds")
    assert shown[chain + 1 : chain + 4] == [
        f"  role 2: {APP} --external-id ...", f"    role 1: {JUMP}", "      source imds",
    ]  # fmt: skip
    assert "--imds app" in shown
    assert [line.split()[1] for line in lines[2:]] == ["fresh"] * 5
    assert [line.count("444455556666") for line in lines[2:] if "role 2" in line] == [2]


def test_no_secret_is_shown_or_written_anywhere(
    cloud: Host, imds: ImdsServer, sts: StsServer
) -> None:
    cloud.run(*CHAIN)
    said = ctl(cloud, "cache", "list") + str(data(cloud, "cache", "list"))
    for each in entries(cloud):
        said += ctl(cloud, "cache", "show", each["id"]) + str(
            data(cloud, "cache", "show", each["id"])
        )

    assert not [secret for secret in imds.secrets | sts.secrets if secret in said]
    assert "geheim" not in said
    assert imds.current["AccessKeyId"] not in said
    assert f"...{imds.current['AccessKeyId'][-4:]}" in said


def test_entry_is_shown_with_its_times_and_its_way(cloud: Host) -> None:
    cloud.run(*CHAIN)
    (whole,) = [each for each in entries(cloud) if each["kind"] == "request"]
    entry = Store(str(cloud.cache)).load(whole["file"])
    assert entry is not None

    shown = ctl(cloud, "cache", "show", whole["id"])
    found = data(cloud, "cache", "show", whole["file"][:12])

    facts = dict(line.split(None, 1) for line in shown.splitlines() if not line[0].isspace())
    assert facts["file"] == f"{cloud.cache}/{whole['file']}"
    assert facts["expires"].startswith(f"{when(entry.expiration)} (in ")
    assert facts["issued"].startswith(f"{when(entry.issued)} (")
    assert f"in the background from {when(entry.ahead)} (in " in shown
    assert f"before printing from {when(entry.now)} (in " in shown
    assert [each["kind"] for each in found["on_the_way"]] == ["source", "role", "role"]
    assert found["ahead"] == when(entry.ahead)


def when(seconds: int) -> str:
    """Return a time as it is shown."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def test_failure_is_shown(cloud: Host, sts: StsServer) -> None:
    sts.external_ids[APP] = "other"
    cloud.run(*CHAIN)

    failures = [each for each in entries(cloud) if each["state"] == "failed"]
    shown = ctl(cloud, "cache", "list")

    assert len(failures) == 2  # of the last role, and of the whole
    assert all("AccessDenied" in each["failure"] for each in failures)
    assert shown.count("AccessDenied") == 2
    assert "last failure" in ctl(cloud, "cache", "show", failures[0]["id"])


def test_failed_refresh_is_shown_beside_what_is_still_good(cloud: Host, imds: ImdsServer) -> None:
    cloud.run("--imds")
    (whole,) = entries(cloud)
    store = Store(str(cloud.cache))
    entry = store.load(whole["file"])
    assert entry is not None
    entry.failure = "imds: status 500"
    store.write(entry)

    assert "fresh (failing)" in ctl(cloud, "cache", "list")
    assert "last failure  imds: status 500" in ctl(cloud, "cache", "show", whole["id"])


@pytest.mark.parametrize("text", ["", "zz", "0000000000"])
def test_unknown_id_is_a_clear_error(cloud: Host, text: str) -> None:
    cloud.run("--imds")
    cloud.run("--imds", "app")

    error = failed(cloud, "cache", "show", text, status=2)

    assert "see `credprocctl cache list`" in error


def test_broken_and_foreign_files_are_reported_and_not_followed(cloud: Host) -> None:
    cloud.run("--imds")
    secret = cloud.folder / "secret"
    secret.write_text("geheim")
    (good,) = cloud.cache.glob("*.entry")
    names = [cloud.cache / f"{letter * 32}.entry" for letter in "abcde"]
    names[0].symlink_to(secret)
    names[1].write_text("geheim")
    os.mkfifo(names[2])
    names[3].mkdir()
    names[4].write_bytes(good.read_bytes()[:-3])
    names[4].chmod(0o600)
    (cloud.cache / "no\x1b[31mtes.txt").write_text("geheim")

    shown = ctl(cloud, "cache", "list")
    found = data(cloud, "cache", "list")

    assert "geheim" not in shown
    assert "\x1b" not in shown
    assert "a symbolic link, which is not followed" in shown
    assert sum("  no entry  " in line for line in shown.splitlines()) == 5
    assert "not credproc's, and left alone: no [31mtes.txt" in shown
    troubles = {each["file"]: each.get("trouble") for each in found["entries"]}
    assert all(troubles[path.name] for path in names)
    assert found["foreign"] == ["no\x1b[31mtes.txt"]


def test_entry_under_another_name_is_no_entry(cloud: Host) -> None:
    cloud.run("--imds")
    (held,) = cloud.cache.glob("*.entry")
    held.rename(cloud.cache / f"{'0' * 32}.entry")

    assert entries(cloud)[0]["trouble"] == "holds the entry of another file"


def test_directory_that_is_not_ours_alone_is_refused(cloud: Host) -> None:
    cloud.run("--imds")
    cloud.cache.chmod(0o777)

    error = failed(cloud, "cache", "list")

    assert error.startswith("the cache is not used: ")
    assert "must be private" in error


@pytest.mark.parametrize("selection", [[], ["x", "--all"], ["--all", "--profile", "x"]])
def test_clear_wants_to_know_what(host: Host, selection: list[str]) -> None:
    assert failed(host, "cache", "clear", *selection, status=2) == (
        "cache clear: give ids, --profile NAME, or --all"
    )


def test_cleared_entry_is_asked_for_again(cloud: Host, imds: ImdsServer) -> None:
    cloud.run("--imds")
    cloud.run("--imds", "app")
    one, _ = entries(cloud)
    before = imds.count("creds")

    said = ctl(cloud, "cache", "clear", one["id"])
    cloud.run(*one["for"])

    assert said == f"{one['id']} ({' '.join(one['for'])}): removed\n"
    assert imds.count("creds") == before + 1


def test_all_is_cleared(cloud: Host) -> None:
    cloud.run(*CHAIN)

    dry = ctl(cloud, "cache", "clear", "--all", "--dry-run")
    assert len(entries(cloud)) == 4
    ctl(cloud, "cache", "clear", "--all")

    assert dry.count("would be removed") == 4
    assert [path.name for path in cloud.cache.iterdir() if path.name != "sweep.lock"] == []
    assert "holds nothing of that" in ctl(cloud, "cache", "clear", "--all")


def test_profile_is_cleared_with_what_is_on_its_way(cloud: Host) -> None:
    cloud.config(
        "[profile dev]\nrole_arn = arn:aws:iam::123456789012:role/dev\nsource_profile = keys\n"
        "[profile keys]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = x\n"
        f"[profile app]\ncredential_process = credproc {' '.join(CHAIN)}\n"
    )
    cloud.run("--profile", "dev")
    cloud.run(*CHAIN)
    cloud.run("--imds")

    ctl(cloud, "cache", "clear", "--profile", "dev")
    left = [each["for"] for each in entries(cloud)]
    ctl(cloud, "cache", "clear", "--profile", "app")

    assert len(left) == 5
    assert not any("dev" in " ".join(each) for each in left)
    assert [each["for"] for each in entries(cloud)] == [["--imds"]]


def test_entry_in_use_is_waited_for(cloud: Host, imds: ImdsServer) -> None:
    cloud.run("--imds")
    (held,) = entries(cloud)
    with imds.hold("creds") as hold:
        refresher = cloud.start("--imds", "--refresh")
        hold.wait_for()
        clearer = cloud.start("cache", "clear", "--all", command=CREDPROCCTL)
        time.sleep(0.5)
        assert clearer.running
        assert (cloud.cache / held["file"]).exists()

    assert refresher.wait().status == 0
    assert clearer.wait().status == 0
    assert entries(cloud) == []


def test_lock_that_stays_held_ends_the_waiting(cloud: Host) -> None:
    cloud.run("--imds")
    (held,) = entries(cloud)
    lock = os.open(cloud.cache / f"{held['file'][:32]}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        error = failed(cloud, "cache", "clear", "--all")
    finally:
        os.close(lock)

    assert "could not be removed: another process holds its lock for more than 5 s" in error
    assert (cloud.cache / held["file"]).exists()


def test_prune_removes_what_is_of_no_use(cloud: Host) -> None:
    cloud.run("--imds")
    (good,) = [each["file"] for each in entries(cloud)]
    store = Store(str(cloud.cache))
    now = int(time.time())
    for asked, expiration, look in ((b"old", now - 5, 0), (b"failure", 0, now - 5)):
        entry = Entry(asked)
        entry.expiration, entry.look = expiration, look
        entry.document = b"{}" if expiration else b""
        store.write(entry)
    (cloud.cache / f"{'a' * 32}.entry").symlink_to("/etc/passwd")
    for name in (f"{'b' * 32}.7.ab.tmp", f"{'c' * 32}.lock", f"{'d' * 32}.8.cd.tmp", "mine.txt"):
        (cloud.cache / name).write_text("")
        (cloud.cache / name).chmod(0o600)
    for name in (f"{'b' * 32}.7.ab.tmp", f"{'c' * 32}.lock"):
        os.utime(cloud.cache / name, (now - 8000, now - 8000))
    # A run may take an hour.
    os.utime(cloud.cache / f"{'d' * 32}.8.cd.tmp", (now - 3600, now - 3600))

    dry = ctl(cloud, "cache", "prune", "--dry-run")
    said = ctl(cloud, "cache", "prune")

    left = {path.name for path in cloud.cache.iterdir()}
    assert left - {"sweep.lock", f"{good[:32]}.lock"} == {
        good, f"{'d' * 32}.8.cd.tmp", "mine.txt",
    }  # fmt: skip
    assert "mine.txt: not credproc's, and left alone" in said
    assert dry.count("would be removed") == said.count(": removed") == 5
    assert f"{fingerprint(b'old')}.entry: removed (expired)" in said
    assert "nothing to remove" in ctl(cloud, "cache", "prune")


def test_runs_go_on_while_the_cache_is_looked_at_and_cleared(cloud: Host) -> None:
    looped = 'for n in 1 2 3 4 5 6; do "$@" || exit 1; done'
    runs = [
        cloud.start("-c", f"{looped} >/dev/null", "sh", "credproc", *CHAIN, command="/bin/sh")
        for _ in range(3)
    ]
    others = [
        cloud.start("-c", looped, "sh", str(CREDPROCCTL), "cache", *words, command="/bin/sh")
        for words in (("list",), ("clear", "--all"), ("prune",))
    ]

    for process in (*runs, *others):
        result = process.wait()
        assert (result.status, result.stderr) == (0, ""), result


def test_entry_whose_profile_is_gone_is_still_shown_and_cleared(cloud: Host) -> None:
    cloud.config(
        f"[profile dev]\nrole_arn = {JUMP}\nsource_profile = keys\n"
        "[profile keys]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = x\n"
    )
    cloud.run("--profile", "dev")
    cloud.config("")

    shown = ctl(cloud, "cache", "list")
    ctl(cloud, "cache", "clear", "--profile", "dev")

    assert "--profile dev" in shown
    assert [each["kind"] for each in entries(cloud)] == ["role"]


def test_broken_entry_is_shown_and_cleared_by_its_id(cloud: Host) -> None:
    cloud.run("--imds")
    (cloud.cache / f"{'a' * 32}.entry").symlink_to("/etc/passwd")
    (broken,) = [each for each in entries(cloud) if "trouble" in each]

    shown = ctl(cloud, "cache", "show", broken["id"])
    ctl(cloud, "cache", "clear", broken["id"])

    assert "state  no entry: a symbolic link, which is not followed" in shown
    assert len(entries(cloud)) == 1


@pytest.mark.parametrize("document", [b"", b"{}", b"nonsense", b'{"AccessKeyId": 1}'])
def test_entry_of_another_version_is_shown_as_such(cloud: Host, document: bytes) -> None:
    store = Store(str(cloud.cache))
    store.make()
    entry = Entry(b"7\0future")
    entry.document, entry.failure = document, "because"
    entry.issued, entry.expiration = int(time.time()), int(time.time()) + 60
    store.write(entry)

    text = ctl(cloud, "cache", "list")

    assert "(of another version of credproc): because" in text
    assert entries(cloud)[0]["kind"] == "unknown"
    assert ctl(cloud, "cache", "show", entries(cloud)[0]["id"])


def test_file_that_cannot_be_removed_is_one_line(cloud: Host) -> None:
    cloud.run("--imds")
    (cloud.cache / f"{'d' * 32}.entry").mkdir()
    (folder,) = [each for each in entries(cloud) if "trouble" in each]

    assert "could not be removed: " in failed(cloud, "cache", "clear", folder["id"])


def test_chain_whose_role_failed_shows_that_on_its_way(cloud: Host, sts: StsServer) -> None:
    cloud.run(*CHAIN)
    sts.external_ids[APP] = "other"
    ctl(cloud, "cache", "clear", *[each["id"] for each in entries(cloud) if each["kind"] == "role"])
    (whole,) = [each for each in entries(cloud) if each["kind"] == "request"]
    cloud.run("--refresh", *CHAIN)

    shown = ctl(cloud, "cache", "show", whole["id"])

    assert "on the way" in shown
    assert ", failed)" in shown


def test_expired_entry_is_shown_as_such(cloud: Host) -> None:
    cloud.run("--imds")
    cachedir.change(cloud.cache, ahead=-9, now=-8, expiration=-7)

    text = ctl(cloud, "cache", "list")

    assert "expired" in text
    assert " s ago" in text
