"""credprocctl cache: entries are shown correctly, and cleared for good."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from credproc.cache import Entry, fingerprint
from credproc.store import Store
from tests import cachedir
from tests.ctl import CREDPROCCTL, ctl, data, failed, real
from tests.servers import sso

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


def entries(host: Host, *options: str) -> list[dict[str, Any]]:
    """Return the entries that are listed."""
    return list(data(host, "cache", "list", *options)["entries"])


def answer(host: Host) -> dict[str, Any]:
    """Return the only answer that is listed."""
    (found,) = [each for each in entries(host) if each["kind"] == "answer"]
    return found


def files(host: Host) -> list[str]:
    """Return the names of the entries on the disk."""
    return cachedir.names(host.cache, ".entry")


def test_all_of_it_by_real_processes(cloud: Host) -> None:
    cloud.run("--imds")
    one, session = entries(cloud)

    said = [
        real(cloud, "cache", "path"),
        real(cloud, "cache", "list"),
        real(cloud, "cache", "show", one["id"]),
        real(cloud, "cache", "prune"),
        real(cloud, "cache", "clear", one["id"]),
    ]

    assert [text.splitlines()[0] for text in said[:4]] == [
        f"{cloud.cache}",
        f"{cloud.cache}: 1 answer, 1 session",
        f"id          {one['id']}",
        f"{cloud.cache}: nothing to remove",
    ]
    assert sorted(said[4].splitlines()) == sorted([
        f"{one['id']} (credproc --imds): removed",
        f"{session['id']} (instance role app): removed",
    ])  # fmt: skip


def test_empty_cache(host: Host) -> None:
    assert ctl(host, "cache", "list") == f"{host.cache}: no credentials are cached\n"
    assert data(host, "cache", "list")["entries"] == []
    assert ctl(host, "cache", "clear", "--all") == f"{host.cache}: nothing to clear\n"
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
        "the cache is off: CREDPROC_CACHE_DIR=x/y is not an absolute path: set it to an absolute "
        "path, or unset it"
    )


def test_sessions_are_listed_once_below_the_answers_that_need_them(cloud: Host) -> None:
    cloud.run(*CHAIN)
    cloud.run(*CHAIN, "--format", "env")
    cloud.run("--imds")

    lines = ctl(cloud, "cache", "list").splitlines()
    listed = entries(cloud)

    assert lines[0] == f"{cloud.cache}: 3 answers, 3 sessions"
    assert lines[1].split() == ["ID", "STATE", "EXPIRES", "CACHED"]
    place = lines[1].index("CACHED")
    shown = [line[place:] for line in lines[2:]]
    ids = {each["for"]: each["id"] for each in listed if each["kind"] == "session"}
    app, jump, instance = (
        "app@444455556666 --external-id ...",
        "jump@123456789012",
        "instance role app",
    )
    arns = "arn:aws:sts::444455556666:assumed-role/app/", "arn:aws:sts::123456789012:assumed-role/"
    first = [number for number, text in enumerate(shown) if "credproc --role-arn" in text]
    below = shown[min(first) + 1 :]
    assert below[0].startswith(f"  {app} ({arns[0]}")
    assert below[1].startswith(f"    {jump} ({arns[1]}jump/")
    assert below[2] == f"      {instance}"
    assert shown[max(first)].endswith(f" (uses {ids[app]})")
    assert f"credproc --imds (uses {ids[instance]})" in shown
    assert [line.split()[1] for line in lines[2:]] == ["fresh"] * 6
    assert [each["account"] for each in listed if each["for"] == jump] == ["123456789012"]


def test_profiles_that_use_a_session_are_named(cloud: Host) -> None:
    line = f"--role-arn {APP} --source profile:base"
    cloud.config(
        f"[profile dev]\nrole_arn = {APP}\nsource_profile = base\n"
        f"[profile base]\nrole_arn = {JUMP}\ncredential_source = Ec2InstanceMetadata\n"
        f"[profile tool]\ncredential_process = /x/credproc {line}\n"
    )
    cloud.run("--profile", "dev")
    cloud.run(*line.split())
    cloud.run("--imds")

    profiles = {str(each["for"]): set(each["profiles"]) for each in entries(cloud)}

    assert profiles["app@444455556666"] == {"dev", "tool"}
    assert profiles["jump@123456789012"] == {"dev", "tool"}
    assert profiles["['--profile', 'dev']"] == {"dev"}
    assert profiles["['--imds']"] == set()


def test_entry_that_can_no_longer_be_used_is_stale(cloud: Host) -> None:
    config = "[profile dev]\nrole_arn = {}\ncredential_source = Ec2InstanceMetadata\n"
    cloud.config(config.format(APP))
    cloud.run("--profile", "dev")
    cloud.config(config.format(JUMP))

    shown = {str(each["for"]): each for each in entries(cloud)}

    assert {name: each["state"] for name, each in shown.items()} == {
        "['--profile', 'dev']": "stale",
        "app@444455556666": "stale",
        "instance role app": "fresh",  # which the profile still needs
    }
    assert shown["['--profile', 'dev']"]["changed"] == [f"{cloud.home}/.aws/config has changed"]


def test_session_that_a_stale_answer_needs_is_not_stale(cloud: Host) -> None:
    config = f"[profile dev]\nrole_arn = {APP}\ncredential_source = Ec2InstanceMetadata\n"
    cloud.config(config)
    cloud.run("--profile", "dev")
    cloud.config(f"{config}[profile new]\nregion = eu-west-1\n")

    states = {each["kind"]: each["state"] for each in entries(cloud)}

    assert states == {"answer": "stale", "session": "fresh"}


def test_session_of_another_sign_in_is_stale(host: Host) -> None:
    host.config(
        "[profile dev]\nsso_session = corp\nsso_account_id = 123456789012\n"
        "sso_role_name = Developer\n[sso-session corp]\nsso_region = eu-central-1\n"
        "sso_start_url = https://portal.example/start\n"
    )
    later = time.time() + 3600
    with sso.SsoPortal() as portal:
        for service in ("SSO", "SSO_OIDC"):
            host.environ[f"AWS_ENDPOINT_URL_{service}"] = portal.url
        sso.write_token(host.home, "corp", "eu-central-1", later, refresh="canary-ann")
        host.document("--profile", "dev")
        before = [(each["for"], each["state"]) for each in entries(host)]
        sso.write_token(host.home, "corp", "eu-central-1", later, refresh="canary-bob")

    after = [(each["for"], each["state"]) for each in entries(host)]

    session = "Developer@123456789012 by SSO"
    assert before == [(["--profile", "dev"], "fresh"), (session, "fresh")]
    assert after == [(["--profile", "dev"], "stale"), (session, "stale")]


def test_session_of_another_instance_is_stale(cloud: Host) -> None:
    cloud.run("--imds")
    one, session = entries(cloud)
    store = Store(str(cloud.cache))
    found = store.load(session["file"])
    whole = store.load(one["file"])
    assert found is not None
    assert whole is not None
    here = os.uname().nodename.encode()
    found.key = found.key.replace(b" " + here, b" elsewhere")
    store.write(found)
    os.unlink(cloud.cache / session["file"])
    os.unlink(cloud.cache / one["file"])
    whole.witnesses = whole.witnesses.replace(b" " + here, b" elsewhere")
    whole.about = b'{"sessions": ["%s"]}' % fingerprint(found.key).encode()
    store.write(whole)

    shown = entries(cloud)

    assert [each["state"] for each in shown] == ["stale", "stale"]
    assert shown[0]["changed"] == ["it was cached on another machine (elsewhere)"]
    assert "belongs to" in ctl(cloud, "cache", "show", shown[1]["id"])


def test_session_that_no_answer_needs_is_listed_with_all(cloud: Host) -> None:
    cloud.run("--imds")
    (cloud.cache / answer(cloud)["file"]).unlink()

    text = ctl(cloud, "cache", "list")

    assert text.splitlines() == [
        f"{cloud.cache}: no credentials are cached",
        "1 more with --all: failed, unreadable, or not needed by any answer",
    ]
    assert [each["state"] for each in entries(cloud, "--all")] == ["orphaned"]
    assert data(cloud, "cache", "list")["hidden"] == 1


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


def test_answer_is_shown_with_its_times_and_its_sessions(cloud: Host) -> None:
    cloud.config(f"[profile dev]\nrole_arn = {JUMP}\ncredential_source = Ec2InstanceMetadata\n")
    cloud.run("--profile", "dev")
    whole = answer(cloud)
    entry = Store(str(cloud.cache)).load(whole["file"])
    assert entry is not None

    shown = ctl(cloud, "cache", "show", whole["id"])
    found = data(cloud, "cache", "show", whole["file"][:12])

    facts = dict(line.split(None, 1) for line in shown.splitlines() if not line[0].isspace())
    assert facts["file"] == f"{cloud.cache}/{whole['file']}"
    assert facts["expires"].startswith(f"{when(entry.expiration)} (in ")
    assert facts["issued"].startswith(f"{when(entry.issued)} (")
    assert facts["profiles"] == "dev"
    assert f"in the background from {when(entry.ahead)} (in " in shown
    assert f"before printing from {when(entry.now)} (in " in shown
    assert [each["for"] for each in found["needs"]] == ["jump@123456789012", "instance role app"]
    assert found["ahead"] == when(entry.ahead)
    depends = " ".join(found["depends_on"])
    assert "AWS_REGION=eu-central-1" in depends
    assert f"{cloud.home}/.aws/config (" in depends
    assert f"{cloud.home}/.aws/credentials (does not exist)" in depends
    assert f"this machine ({os.uname().nodename}) since it was started" in depends


def test_session_is_shown_with_the_answers_that_use_it(cloud: Host) -> None:
    cloud.run(*CHAIN)
    (app,) = [each for each in entries(cloud) if str(each["for"]).startswith("app@")]

    shown = ctl(cloud, "cache", "show", app["id"])
    found = data(cloud, "cache", "show", app["id"])

    assert f"role        {APP}\n" in shown
    assert f"ARN         {found['arn']}\n" in shown
    assert found["arn"].startswith("arn:aws:sts::444455556666:assumed-role/app/credproc-")
    assert found["users"] == [answer(cloud)["id"]]
    assert [each["for"] for each in found["needs"]] == ["jump@123456789012", "instance role app"]
    assert f"used by     credproc --role-arn {JUMP}" in shown


def when(seconds: int) -> str:
    """Return a time as it is shown."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def test_failures_are_listed_with_all(cloud: Host, sts: StsServer) -> None:
    sts.external_ids[APP] = "other"
    cloud.run(*CHAIN)

    failures = [each for each in entries(cloud, "--all") if each["state"] == "failed"]
    shown = ctl(cloud, "cache", "list", "--all")

    assert len(failures) == 2  # of the answer, and of its last role
    assert all("AccessDenied" in each["failure"] for each in failures)
    assert shown.count("AccessDenied") == 2
    assert "last failure" in ctl(cloud, "cache", "show", failures[0]["id"])
    assert "AccessDenied" not in ctl(cloud, "cache", "list")


def test_failed_refresh_is_shown_with_the_credentials_that_are_still_valid(
    cloud: Host, imds: ImdsServer
) -> None:
    cloud.run("--imds")
    whole = answer(cloud)
    store = Store(str(cloud.cache))
    entry = store.load(whole["file"])
    assert entry is not None
    entry.failure = "imds: status 500"
    store.write(entry)

    assert "fresh (failing)" in ctl(cloud, "cache", "list")
    assert "last failure  imds: status 500" in ctl(cloud, "cache", "show", whole["id"])


@pytest.mark.parametrize("text", ["zz", "0000000000"])
def test_unknown_id_is_a_clear_error(cloud: Host, text: str) -> None:
    cloud.run("--imds")
    cloud.run("--imds", "app")

    error = failed(cloud, "cache", "show", text, status=2)

    assert "see `credprocctl cache list --all`" in error


def test_broken_and_foreign_files_are_reported_and_not_followed(cloud: Host) -> None:
    cloud.run("--imds")
    secret = cloud.folder / "secret"
    secret.write_text("geheim")
    good = cloud.cache / answer(cloud)["file"]
    names = [cloud.cache / f"{letter * 32}.entry" for letter in "abcde"]
    names[0].symlink_to(secret)
    names[1].write_text("geheim")
    os.mkfifo(names[2])
    names[3].mkdir()
    names[4].write_bytes(good.read_bytes()[:-3])
    names[4].chmod(0o600)
    (cloud.cache / "no\x1b[31mtes.txt").write_text("geheim")

    shown = ctl(cloud, "cache", "list", "--all")
    found = data(cloud, "cache", "list", "--all")

    assert "geheim" not in shown
    assert "\x1b" not in shown
    assert "a symbolic link, which is not followed" in shown
    assert sum("  unreadable  " in line for line in shown.splitlines()) == 5
    assert "not a credproc file, ignored: no [31mtes.txt" in shown
    troubles = {each["file"]: each.get("trouble") for each in found["entries"]}
    assert all(troubles[path.name] for path in names)
    assert found["foreign"] == ["no\x1b[31mtes.txt"]


def test_entry_under_another_name_is_not_an_entry(cloud: Host) -> None:
    cloud.run("--imds")
    (cloud.cache / answer(cloud)["file"]).rename(cloud.cache / f"{'0' * 32}.entry")

    assert entries(cloud, "--all")[-1]["trouble"] == "contains the entry of another file"


def test_directory_that_is_not_ours_alone_is_refused(cloud: Host) -> None:
    cloud.run("--imds")
    cloud.cache.chmod(0o777)

    error = failed(cloud, "cache", "list")

    assert error.startswith("the cache is not used: ")
    assert "must be private" in error


@pytest.mark.parametrize(
    ("selection", "reason"),
    [
        ([], "give ids, --profile NAME, or --all"),
        (["x", "--all"], "give only one of these: ids, --profile NAME, or --all"),
        (["--all", "--profile", "x"], "give only one of these: ids, --profile NAME, or --all"),
        (["--profile", "x"], "there is no profile x"),
    ],
)
def test_clear_without_a_selection_is_refused(
    host: Host, selection: list[str], reason: str
) -> None:
    assert failed(host, "cache", "clear", *selection, status=2).startswith(reason)


@pytest.mark.parametrize(
    ("words", "name"),
    [([""], "argument"), (["--profile", ""], "--profile"), (["--profile="], "--profile")],
)
def test_empty_value_clears_nothing(cloud: Host, words: list[str], name: str) -> None:
    cloud.run("--imds")

    error = failed(cloud, "cache", "clear", *words, status=2)

    assert name in error
    assert "empty" in error
    assert len(files(cloud)) == 2


def test_answer_is_cleared_with_its_sessions(cloud: Host, imds: ImdsServer) -> None:
    cloud.run("--imds")
    cloud.run("--imds", "app")
    (one,) = [each for each in entries(cloud) if each["for"] == ["--imds"]]
    before = imds.count("creds")

    said = ctl(cloud, "cache", "clear", one["id"])
    left = [each["for"] for each in entries(cloud)]
    cloud.run("--imds")

    assert f"{one['id']} (credproc --imds): removed\n" in said
    assert sorted(map(str, left)) == ["['--imds', 'app']", "instance role app"]
    assert imds.count("creds") == before + 1


def test_session_is_cleared_with_everything_that_was_made_from_it(
    cloud: Host, sts: StsServer
) -> None:
    cloud.run(*CHAIN)
    cloud.run("--imds")
    (jump,) = [each for each in entries(cloud) if each["for"] == "jump@123456789012"]

    ctl(cloud, "cache", "clear", jump["id"])
    left = [each["for"] for each in entries(cloud, "--all")]
    cloud.run(*CHAIN)

    assert sorted(map(str, left)) == ["['--imds']", "instance role app"]
    assert len(sts.calls) == 4


def test_all_is_cleared(cloud: Host) -> None:
    cloud.run(*CHAIN)

    dry = ctl(cloud, "cache", "clear", "--all", "--dry-run")
    assert len(files(cloud)) == 4
    ctl(cloud, "cache", "clear", "--all")

    assert dry.count("would be removed") == 4
    assert files(cloud) == []
    assert "nothing to clear" in ctl(cloud, "cache", "clear", "--all")


def test_profile_is_cleared_with_its_sessions(cloud: Host) -> None:
    cloud.config(
        f"[profile dev]\nrole_arn = {JUMP}\nsource_profile = keys\n"
        "[profile keys]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = x\n"
        f"[profile app]\ncredential_process = credproc {' '.join(CHAIN)}\n"
    )
    cloud.run("--profile", "dev")
    cloud.run(*CHAIN)
    cloud.run("--imds", "app")

    ctl(cloud, "cache", "clear", "--profile", "dev")
    left = [str(each["for"]) for each in entries(cloud)]
    ctl(cloud, "cache", "clear", "--profile", "app")

    assert len(left) == 6
    assert "['--profile', 'dev']" not in left
    assert sorted(str(each["for"]) for each in entries(cloud, "--all")) == [
        "['--imds', 'app']", "instance role app",
    ]  # fmt: skip


def test_profile_whose_config_has_changed_is_cleared_by_its_cached_answers(
    cloud: Host,
) -> None:
    cloud.config(f"[profile dev]\nrole_arn = {JUMP}\ncredential_source = Ec2InstanceMetadata\n")
    cloud.run("--profile", "dev")
    cloud.config("")

    shown = ctl(cloud, "cache", "list")
    ctl(cloud, "cache", "clear", "--profile", "dev")

    assert "credproc --profile dev" in shown
    assert files(cloud) == []


def test_dry_run_takes_no_lock(cloud: Host) -> None:
    cloud.run("--imds")
    store = Store(str(cloud.cache))

    with store.clearing(1):
        said = ctl(cloud, "cache", "clear", "--all", "--dry-run")

    assert said.count("would be removed") == 2


def test_waiting_for_a_process_that_never_finishes_writing_ends(cloud: Host) -> None:
    cloud.run("--imds")

    with Store(str(cloud.cache)).clearing(1):
        error = failed(cloud, "cache", "clear", "--all")

    assert "could not be cleared: another process has been writing to the cache for 5 s" in error
    assert len(files(cloud)) == 2


def test_prune_removes_entries_that_no_run_can_use(cloud: Host) -> None:
    cloud.run("--imds")
    good = {each["file"] for each in entries(cloud)}
    store = Store(str(cloud.cache))
    now = int(time.time())
    for key, expiration, look in ((b"old", now - 5, 0), (b"failure", 0, now - 5)):
        entry = Entry(key)
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
    locks = {f"{name[:32]}.lock" for name in good}
    assert left - {"sweep.lock", "cleared.lock"} - locks == {
        *good, f"{'d' * 32}.8.cd.tmp", "mine.txt",
    }  # fmt: skip
    assert "mine.txt: not a credproc file, ignored" in said
    assert dry.count("would be removed") == said.count(": removed") == 5
    assert f"{fingerprint(b'old')}.entry: removed (expired)" in said
    assert "nothing to remove" in ctl(cloud, "cache", "prune")


def test_entry_that_is_being_refreshed_is_not_pruned(cloud: Host, imds: ImdsServer) -> None:
    cloud.run("--imds")
    cachedir.change(cloud.cache, ahead=-9, now=-8, expiration=-7)
    with imds.hold("creds") as hold:
        refresher = cloud.start("--imds")
        hold.wait_for()
        said = ctl(cloud, "cache", "prune")
        assert len(files(cloud)) == 2

    assert refresher.wait().status == 0
    assert said.count("not removed: in use") == 2
    assert "nothing to remove" in ctl(cloud, "cache", "prune")


def test_runs_succeed_while_the_cache_is_listed_and_cleared(cloud: Host) -> None:
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


def test_broken_entry_is_shown_and_cleared_by_its_id(cloud: Host) -> None:
    cloud.run("--imds")
    (cloud.cache / f"{'a' * 32}.entry").symlink_to("/etc/passwd")
    (broken,) = [each for each in entries(cloud, "--all") if "trouble" in each]

    shown = ctl(cloud, "cache", "show", broken["id"])
    ctl(cloud, "cache", "clear", broken["id"])

    assert "state  unreadable: a symbolic link, which is not followed" in shown
    assert [len(entries(cloud, *words)) for words in ([], ["--all"])] == [2, 2]


@pytest.mark.parametrize("document", [b"", b"{}", b"nonsense", b'{"AccessKeyId": 1}'])
@pytest.mark.parametrize("key", [b"7\0future", b"session []", b"answer\x009\0x", b"session {"])
def test_entry_that_is_neither_answer_nor_session_is_shown_as_it_is(
    cloud: Host, document: bytes, key: bytes
) -> None:
    store = Store(str(cloud.cache))
    store.make()
    entry = Entry(key)
    entry.document, entry.failure = document, "because"
    entry.issued, entry.expiration = int(time.time()), int(time.time()) + 60
    store.write(entry)

    text = ctl(cloud, "cache", "list", "--all")
    (shown,) = entries(cloud, "--all")

    assert shown["kind"] == "unknown"
    assert shown["file"] in text
    assert ctl(cloud, "cache", "show", shown["id"])


def test_entry_of_the_version_before_is_unreadable_and_pruned(cloud: Host) -> None:
    store = Store(str(cloud.cache))
    store.make()
    path = cloud.cache / f"{'a' * 32}.entry"
    path.write_bytes(b"credproc-entry 1 0 0\n")
    path.chmod(0o600)

    (shown,) = entries(cloud, "--all")
    ctl(cloud, "cache", "prune")

    assert shown["trouble"] == "not an entry of this version"
    assert files(cloud) == []


def test_file_that_cannot_be_removed_is_one_line(cloud: Host) -> None:
    cloud.run("--imds")
    (cloud.cache / f"{'d' * 32}.entry").mkdir()
    (folder,) = [each for each in entries(cloud, "--all") if "trouble" in each]

    assert "could not be removed: " in failed(cloud, "cache", "clear", folder["id"])


def test_expired_entry_is_shown_as_such(cloud: Host) -> None:
    cloud.run("--imds")
    cachedir.change(cloud.cache, ahead=-9, now=-8, expiration=-7)

    text = ctl(cloud, "cache", "list")

    assert "expired" in text
    assert " s ago" in text
