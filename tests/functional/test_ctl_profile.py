"""credprocctl profile: the line in the shared config is correct, and nothing else changes."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from credproc.ctl import rewriting
from credproc.ctl.rewriting import Rewriting
from tests.ctl import CREDPROCCTL, ctl, data, failed, one_line, real
from tests.harness import CREDPROC
from tests.users import NOBODY, as_user

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Host
    from tests.servers.imds import ImdsServer

ROLE = "arn:aws:iam::123456789012:role/app"
CONFIG = """\
# kept
[default]
region = eu-central-1

[profile old]  ; odd, and kept
output=json
"""

#: What a program gets that uses the profile through botocore.
BOTOCORE = """
import botocore.session, sys
print(botocore.session.Session(profile=sys.argv[1]).get_credentials().access_key)
"""


def line(host: Host, profile: str) -> str:
    """Return the profile's line as the command shows it."""
    return str(data(host, "profile", "show", profile)["credential_process"])


def data_before(host: Host, *words: str) -> Any:
    """Return what a command with options of credproc says to a machine."""
    place = words.index("--")
    return json.loads(ctl(host, *words[:place], "--output", "json", *words[place:]))


def config(host: Host) -> str:
    """Return the text of the shared config."""
    return (host.home / ".aws" / "config").read_text()


def test_all_of_it_by_real_processes(host: Host) -> None:
    said = real(host, "profile", "add", "app", "--", "--imds")
    shown = real(host, "profile", "show")
    real(host, "profile", "remove", "app")

    assert said.startswith("profile app: written to ")
    assert shown.splitlines()[1] == f"app      ok     {CREDPROC} --imds"
    assert config(host) == ""


def test_first_profile_makes_a_private_file(host: Host) -> None:
    said = ctl(host, "profile", "add", "app", "--from-role", "app")

    path = host.home / ".aws" / "config"
    assert path.read_text() == f"[profile app]\ncredential_process = {CREDPROC} --imds app\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert said.splitlines()[0] == f"profile app: written to {path}"
    assert said.endswith("Try it: aws sts get-caller-identity --profile app --region us-east-1\n")


def test_written_profile_works_with_botocore_and_a_shell(host: Host, imds: ImdsServer) -> None:
    folder = host.folder / "my $tools"
    folder.mkdir()
    program = folder / "credproc"
    program.symlink_to(CREDPROC)
    host.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = imds.url

    ctl(host, "profile", "add", "app", "--from-role", "app", "--executable", str(program))
    by_botocore = host.run("-c", BOTOCORE, "app", command=sys.executable)
    by_shell = host.run("-c", line(host, "app"), command="/bin/sh")

    assert by_botocore.stdout.decode().strip() == imds.current["AccessKeyId"], by_botocore
    assert json.loads(by_shell.stdout)["AccessKeyId"] == imds.current["AccessKeyId"]


def test_everything_else_in_the_file_stays(host: Host) -> None:
    path = host.config(CONFIG)
    path.chmod(0o640)

    ctl(host, "profile", "add", "app", "--", "--imds")
    ctl(host, "profile", "add", "old", "--", "--imds", "app")

    assert config(host) == CONFIG + (
        f"credential_process = {CREDPROC} --imds app\n\n"
        f"[profile app]\ncredential_process = {CREDPROC} --imds\n"
    )
    assert path.stat().st_mode & 0o777 == 0o640
    backup = path.with_name("config.credproc.bak")
    assert "--imds app" not in backup.read_text()
    assert backup.stat().st_mode & 0o777 == 0o640


def test_second_run_changes_nothing(host: Host) -> None:
    ctl(host, "profile", "add", "app", "--from-role", "app")
    path = host.home / ".aws" / "config"
    before = path.stat()

    found = data(host, "profile", "add", "app", "--from-role", "app")

    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert not any(step["changed"] for step in found["steps"])


def test_removal_brings_the_file_back(host: Host) -> None:
    host.config(CONFIG)
    ctl(host, "profile", "add", "app", "--from-role", "app")
    ctl(host, "profile", "remove", "app")

    assert config(host) == CONFIG


def test_dry_run_touches_nothing(host: Host) -> None:
    said = ctl(host, "profile", "add", "app", "--dry-run", "--", "--imds")

    assert not (host.home / ".aws").exists()
    assert "profile app: would be written to" in said
    assert f"credential_process = {CREDPROC} --imds\n" in said


def test_another_command_is_replaced_only_with_replace(host: Host) -> None:
    host.config("[profile app]\ncredential_process = helper --password geheim\n")

    error = failed(host, "profile", "add", "app", status=2)
    ctl(host, "profile", "add", "app", "--replace")

    assert error.startswith("profile app already has a credential_process (helper ...): add --")
    assert config(host) == f"[profile app]\ncredential_process = {CREDPROC}\n"


@pytest.mark.parametrize(
    ("key", "where"),
    [
        ("aws_access_key_id", "credentials"),
        ("credential_process", "credentials"),
        ("role_arn", "credentials"),
        ("aws_access_key_id", "config"),
        ("role_arn", "config"),
        ("source_profile", "config"),
        ("web_identity_token_file", "config"),
        ("sso_session", "config"),
        ("sso_account_id", "config"),
        ("login_session", "config"),
    ],
)
def test_keys_that_override_or_break_the_line_are_named(host: Host, key: str, where: str) -> None:
    if where == "config":
        text = f"[profile app]\n{key} = geheim\n"
        host.config(text)
    else:
        text = ""
        host.credentials(f"[app]\n{key} = geheim\n")

    error = failed(host, "profile", "add", "app", status=2)

    assert f"profile app has {key} in {host.home}/.aws/{where} (" in error
    assert "geheim" not in error
    assert not text or config(host) == text


def test_harmless_keys_do_not_matter(host: Host) -> None:
    host.config("[profile app]\nregion = x\noutput = json\nmfa_serial = y\n")

    ctl(host, "profile", "add", "app")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--role-arn", "x", "--source", "env"], "must be a role's ARN"),
        (["--role-arn", ROLE], "needs --source"),
        (["--nonsense"], "unknown option --nonsense"),
        (["--profile", "app"], "`credprocctl profile wrap app` renames it to app-source"),
        (["--role-arn", ROLE, "--source", "profile:app"], "would lead back to itself"),
        (["--format", "env"], "tools that read a profile need the JSON document"),
        (["--field", "AccessKeyId"], "tools that read a profile need the JSON document"),
        (["--verbose"], "set CREDPROC_LOG instead"),
        (["--help"], "print no credentials"),
        (["--version"], "print no credentials"),
        (["--imds", "--role-arn", ROLE, "--external-id", "a #b", "--source", "imds"],
         "must be 2 to 1224 characters"),
        (["--profile", "a #b"], "take the rest for a comment"),
    ],
)  # fmt: skip
def test_options_that_cannot_work_are_refused(host: Host, options: list[str], reason: str) -> None:
    assert reason in failed(host, "profile", "add", "app", "--", *options, status=2)
    assert not (host.home / ".aws").exists()


def test_questionable_options_cause_a_note(host: Host) -> None:
    result = host.run(
        "profile", "add", "app", "--", "--no-cache", "--timeout", "90", command=CREDPROCCTL,
        AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE",
    )  # fmt: skip

    assert result.status == 0
    assert [
        line.partition(":")[2].split(":")[0].strip() for line in result.stderr.splitlines()
    ] == [
        "--no-cache in a profile fetches new credentials at every run",
        "--timeout 90",
        "AWS_ACCESS_KEY_ID is set",
    ]


@pytest.mark.parametrize(
    "options", [("--profile", "x"), ("--role-arn", ROLE, "--source", "profile:x")]
)
def test_unknown_profile_in_the_options_causes_a_note(host: Host, options: tuple[str, ...]) -> None:
    def notes() -> list[str]:
        return list(
            data_before(host, "profile", "add", "app", "--dry-run", "--", *options)["notes"]
        )

    missing = notes()
    host.credentials("[x]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n")

    assert missing == ["there is no profile x yet, and credproc fails without it"]
    assert notes() == []


@pytest.mark.parametrize("name", ["a]b", "a\nb"])
def test_name_that_no_section_can_have_is_refused(host: Host, name: str) -> None:
    assert "must be a profile name" in failed(host, "profile", "add", name, status=2)


def test_link_to_a_file_elsewhere_stays_a_link(host: Host) -> None:
    target = host.folder / "dotfiles"
    target.mkdir()
    (target / "aws-config").write_text(CONFIG)
    (host.home / ".aws").mkdir()
    link = host.home / ".aws" / "config"
    link.symlink_to(target / "aws-config")

    ctl(host, "profile", "add", "app")

    assert link.is_symlink()
    assert "[profile app]" in (target / "aws-config").read_text()
    assert sorted(path.name for path in target.iterdir()) == [
        "aws-config", "aws-config.credproc.bak", "aws-config.lock",
    ]  # fmt: skip


def test_config_file_of_the_environment_is_used(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "elsewhere" / "config"

    ctl(host, "profile", "add", "app", AWS_CONFIG_FILE=str(path))

    assert "[profile app]" in path.read_text()
    assert not (host.home / ".aws").exists()


def test_file_that_is_not_a_config_is_not_changed(host: Host) -> None:
    host.config("[default]\nnonsense\n")

    error = failed(host, "profile", "add", "app", status=2)

    assert "config, line 2: cannot be parsed as a config file: it is neither a complete" in error
    assert config(host) == "[default]\nnonsense\n"


def test_directory_that_is_not_writable_is_one_line(host: Host) -> None:
    path = host.config(CONFIG)
    (path.parent / "config.lock").mkdir()

    error = failed(host, "profile", "add", "app")

    assert "config.lock" in error
    assert config(host) == CONFIG


def test_many_at_once_lose_no_profile(host: Host) -> None:
    names = [f"p{number}" for number in range(8)]
    script = 'n=$1; shift; exec "$@" profile add "p$n"'
    processes = [
        host.start("-c", script, "sh", name[1:], str(CREDPROCCTL), command="/bin/sh")
        for name in names
    ]

    assert [process.wait().status for process in processes] == [0] * len(names)
    shown = data(host, "profile", "show")
    assert sorted(each["profile"] for each in shown) == names


def test_lock_of_another_process_is_waited_for(host: Host) -> None:
    path = host.config(CONFIG)
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        process = host.start("profile", "add", "app", command=CREDPROCCTL)
        with pytest.raises(subprocess.TimeoutExpired):
            process.popen.wait(1)
        assert config(host) == CONFIG
    finally:
        os.close(lock)

    assert process.wait().status == 0
    assert "[profile app]" in config(host)


def test_executable_is_the_one_installed_with_the_command(host: Host) -> None:
    elsewhere = host.folder / "bin"
    elsewhere.mkdir()
    (elsewhere / "credproc").write_text("#!/bin/sh\n")
    (elsewhere / "credproc").chmod(0o755)

    real(host, "profile", "add", "app", PATH=f"{elsewhere}:/usr/bin:/bin")

    assert line(host, "app") == str(CREDPROC)


@pytest.mark.parametrize("path", ["credproc", "/proc/nowhere/credproc", "~/credproc"])
def test_executable_must_exist_at_an_absolute_path(host: Host, path: str) -> None:
    error = failed(host, "profile", "add", "app", "--executable", path, status=2)

    assert error == f"--executable: must be the absolute path of an executable file, not {path}"


def test_show_lists_what_runs_credproc_and_what_is_wrong(host: Host) -> None:
    host.config(
        f"[default]\nregion = x\n[profile good]\ncredential_process = {CREDPROC} --imds\n"
        "[profile other]\ncredential_process = aws-vault export app\n"
        "[profile gone]\ncredential_process = /proc/nowhere/credproc --external-id geheim\n"
        f"[profile both]\ncredential_process = {CREDPROC}\nrole_arn = {ROLE}\n"
        f"[profile self]\ncredential_process = {CREDPROC} --profile self\n"
        "[profile short]\ncredential_process = credproc\n"
        "[profile quote]\ncredential_process = 'credproc\n"
    )

    shown = {each["profile"]: each["problems"] for each in data(host, "profile", "show")}
    text = ctl(host, "profile", "show")

    assert list(shown) == ["good", "gone", "both", "self", "short"]
    assert shown["good"] == []
    assert "must come after the --role-arn" in shown["gone"][0]
    assert shown["both"][0].startswith("overridden by or in conflict with role_arn in")
    assert "leads back to itself" in shown["self"][0] or "calls itself" in shown["self"][0]
    assert "not an absolute path" in shown["short"][0]
    assert "geheim" not in text
    assert text.splitlines()[0].split() == ["PROFILE", "STATE", "COMMAND"]


def test_show_of_one_profile_names_file_and_line(host: Host) -> None:
    host.config(
        f"[profile other]\nsso_session = x\n[profile app]\ncredential_process = {CREDPROC}\n"
    )

    assert ctl(host, "profile", "show", "app") == (
        f"profile  app\nfile     {host.home}/.aws/config, line 3\ncommand  {CREDPROC}\n"
    )
    assert "none: `credprocctl profile wrap other` puts the cache in front of it" in ctl(
        host, "profile", "show", "other"
    )
    assert "there is no profile missing" in failed(host, "profile", "show", "missing", status=2)


def test_config_without_a_credproc_profile_is_not_an_error(host: Host) -> None:
    assert "No profile in" in ctl(host, "profile", "show")
    assert data(host, "profile", "show") == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[profile app]\nregion = x\n", "has no credential_process in"),
        ("", "there is no profile app in"),
        ("[profile app]\ncredential_process = helper x\n", "does not run credproc, but helper ..."),
    ],
)
def test_only_lines_of_credproc_are_removed(host: Host, text: str, reason: str) -> None:
    host.config(text)

    assert reason in failed(host, "profile", "remove", "app", status=2)
    assert config(host) == text


def test_directory_in_place_of_the_config_is_one_line(host: Host) -> None:
    (host.home / ".aws" / "config").mkdir(parents=True)

    assert "config is not a regular file" in failed(host, "profile", "add", "app")


def test_pipe_in_place_of_the_config_does_not_block(host: Host) -> None:
    (host.home / ".aws").mkdir()
    os.mkfifo(host.home / ".aws" / "config")

    assert "config is not a regular file" in failed(host, "profile", "show")


def test_change_by_a_program_without_the_lock_is_noticed(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = host.config(CONFIG)
    write = Rewriting._write

    def late(self: Rewriting, target: str, content: bytes) -> None:
        """Change the config after it was read, as the AWS CLI might."""
        write(self, target, content)
        path.write_text(f"{CONFIG}changed = 1\n")

    monkeypatch.setattr(Rewriting, "_write", late)
    error = failed(host, "profile", "add", "app")

    assert "another program changed it just now; run this again" in error
    assert path.read_text() == f"{CONFIG}changed = 1\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [("", "[default]\n"), (CONFIG, f"{CONFIG}changed = 1\n"), (CONFIG, CONFIG.upper())],
    ids=["made", "longer", "as long"],
)
def test_change_while_the_new_text_is_written_is_noticed(
    host: Host, monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    path = host.home / ".aws" / "config"
    if before:
        host.config(before)
    fsync = os.fsync

    def late(descriptor: int) -> None:
        """Change the config when its new text is on the disk, and put its time back."""
        fsync(descriptor)
        if ".bak." in os.readlink(f"/proc/self/fd/{descriptor}"):
            return
        time = path.stat().st_mtime_ns if before else 0
        path.write_text(after)
        os.utime(path, ns=(time, time))

    monkeypatch.setattr("os.fsync", late)
    error = failed(host, "profile", "add", "app")

    assert "another program changed it just now; run this again" in error
    assert path.read_text() == after
    assert not list(path.parent.glob("*.tmp"))


@pytest.mark.parametrize("there", [(), (".aws",), (".aws", "config"), (".aws", "config", "lock")])
def test_root_with_the_home_of_another_user_changes_nothing_there(
    host: Host, there: tuple[str, ...]
) -> None:
    user = as_user(NOBODY, reads_all=True)
    folder = host.home / ".aws" if there else host.home
    folder.mkdir(mode=0o700, exist_ok=True)
    if "config" in there:
        host.config(CONFIG)
    if "lock" in there:
        (folder / "config.lock").touch(mode=0o600)
    before = sorted(host.home.rglob("*"))
    for path in (host.home, *before):
        os.chown(path, NOBODY, NOBODY)

    for command in ("add", "remove"):
        error = one_line(host.run("profile", command, "app", command=CREDPROCCTL))
        assert error == (
            f"{host.home}/.aws/config was not changed, because {folder} belongs to another user "
            f"(uid {NOBODY}): run this as that user, or with sudo -H to change root's own file"
        )
    assert sorted(host.home.rglob("*")) == before
    assert "config" not in there or config(host) == CONFIG

    # Whether a program is executable is decided for the real user, who cannot read a closed folder.
    words = [str(CREDPROCCTL), "profile", "add", "app", "--executable", "/bin/true"]
    result = host.run(*user[1:], *words, command=user[0])
    assert result.status == 0, result
    assert {path.stat().st_uid for path in host.home.rglob("*")} == {NOBODY}


def test_file_of_another_user_in_a_directory_of_ours_keeps_its_owner(host: Host) -> None:
    as_user(NOBODY)
    path = host.config(CONFIG)
    os.chown(path, NOBODY, NOBODY)

    ctl(host, "profile", "add", "app")

    assert "[profile app]" in config(host)
    assert path.stat().st_uid == path.with_name("config.credproc.bak").stat().st_uid == NOBODY


def test_file_that_cannot_grow_is_left_as_it_was_without_temporary_files(host: Host) -> None:
    path = host.config(CONFIG)
    words = [str(CREDPROCCTL), "profile", "add", "app"]
    error = one_line(host.run("-c", 'ulimit -f 0; exec "$@"', "sh", *words, command="sh"))

    assert "File too large" in error
    assert path.read_text() == CONFIG
    assert sorted(each.name for each in path.parent.iterdir()) == ["config", "config.lock"]


def test_waiting_for_a_lock_ends(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    path = host.config(CONFIG)
    monkeypatch.setattr(rewriting, "PATIENCE", 0.3)
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        error = failed(host, "profile", "add", "app")
    finally:
        os.close(lock)

    assert "config.lock) for more than 0.3 s" in error


def test_line_with_unbalanced_quotes_is_replaced_with_replace(host: Host) -> None:
    host.config("[profile app]\ncredential_process = 'geheim\n")

    assert "already has a credential_process ((unbalanced quotes)): add --replace" in failed(
        host, "profile", "add", "app", status=2
    )
    ctl(host, "profile", "add", "app", "--replace")


def test_default_profile_needs_no_option(host: Host) -> None:
    said = ctl(host, "profile", "add", "default", AWS_DEFAULT_REGION="eu-west-1")

    assert said.endswith("Try it: aws sts get-caller-identity\n")
    assert "unchanged in" in ctl(host, "profile", "add", "default", "--dry-run")


def test_invalid_role_name_is_refused(host: Host) -> None:
    error = failed(host, "profile", "add", "app", "--from-role", "a b", status=2)

    assert error.startswith("the role's name must be 1 to 64 characters")


@pytest.mark.parametrize(
    ("words", "env", "config", "region"),
    [
        (["--", "--imds"], {}, "", "eu-central-1"),  # the instance's
        (["--region", "eu-west-3", "--", "--imds"], {}, "", ""),
        (["--", "--imds"], {"AWS_REGION": "eu-west-2"}, "", "eu-west-2"),
        (["--", "--imds"], {"AWS_DEFAULT_REGION": "eu-west-2"}, "", ""),
        (["--", "--imds"], {}, "[profile 'my app']\nregion = eu-west-1\n", ""),
        (["--", "--role-arn", ROLE, "--source", "imds"], {}, "", "eu-central-1"),
        (["--", "--role-arn", ROLE, "--source", "profile:keys"], {}, "", "us-east-1"),
        (["--", "--profile", "keys"], {}, "", "us-east-1"),
    ],
)
def test_line_to_try_it_names_a_region_where_none_is_set(
    online: Host, words: list[str], env: dict[str, Any], config: str, region: str
) -> None:
    assert line_to_try(online, words, config, **env).partition(" --region ")[2] == region


@pytest.mark.parametrize("words", [["--imds"], ["--role-arn", ROLE, "--source", "profile:keys"]])
def test_line_to_try_it_works_where_it_is_pasted(online: Host, words: list[str]) -> None:
    result = online.run("-c", line_to_try(online, ["--", *words]), command="/bin/sh")

    assert result.status == 0, result
    assert b"arn:aws:" in result.stdout


def line_to_try(online: Host, words: list[str], config: str = "", **env: Any) -> str:
    """Return the command that `profile add` suggests to try."""
    keys = "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = x\n"
    online.config(f"[profile keys]\n{keys}{config}")
    said = ctl(online, "profile", "add", "my app", *words, **env)
    return said.splitlines()[-1].removeprefix("Try it: ")


def test_line_to_try_it_names_a_region_of_the_roles_partition(host: Host) -> None:
    options = ("--", "--role-arn", ROLE.replace("arn:aws:", "arn:aws-cn:"), "--source", "env")

    assert ctl(host, "profile", "add", "app", *options).endswith(" --region cn-north-1\n")


def test_region_is_written_and_replaced_only_with_replace(host: Host) -> None:
    said = ctl(host, "profile", "add", "app", "--region", "eu-west-1")
    again = data(host, "profile", "add", "app", "--region", "eu-west-1")
    error = failed(host, "profile", "add", "app", "--region", "eu-west-3", status=2)
    before = config(host)
    ctl(host, "profile", "add", "app", "--region", "eu-west-3", "--replace")

    assert "region = eu-west-1\n" in said
    assert not any(step["changed"] for step in again["steps"])
    assert error.startswith("profile app already has a region (eu-west-1): add --replace")
    assert before == f"[profile app]\ncredential_process = {CREDPROC}\nregion = eu-west-1\n"
    assert config(host) == before.replace("eu-west-1", "eu-west-3")


@pytest.mark.parametrize("region", ["eu west", "EU-WEST-1", "-x"])
def test_invalid_region_is_refused(host: Host, region: str) -> None:
    error = failed(host, "profile", "add", "app", f"--region={region}", status=2)

    assert error == "--region: must be a region, like eu-central-1"
    assert not (host.home / ".aws").exists()


@pytest.mark.parametrize(
    ("region", "words"),
    [
        (
            "eu-centrl-1",
            "eu-centrl-1 is not a region that botocore knows; did you mean eu-central-1?",
        ),
        ("marsx", "marsx is not a region that botocore knows"),
    ],
)
def test_unknown_region_is_written_with_a_warning(host: Host, region: str, words: str) -> None:
    assert data(host, "profile", "add", "app", "--region", region)["notes"] == [words]
    assert f"region = {region}\n" in config(host)


def test_region_and_output_of_the_cached_profile_are_copied(host: Host) -> None:
    before = f"{CONFIG}\n[profile dev]\nregion = eu-west-3\noutput = text\nrole_arn = {ROLE}\n"
    host.config(before)

    said = ctl(host, "profile", "add", "app", "--", "--profile", "dev")

    lines = f"credential_process = {CREDPROC} --profile dev\nregion = eu-west-3\noutput = text\n"
    assert config(host) == f"{before}\n[profile app]\n{lines}"
    assert said.endswith("Try it: aws sts get-caller-identity --profile app\n")
    ctl(host, "profile", "remove", "app")
    assert config(host) == before


def test_region_that_was_given_or_already_set_is_not_replaced(host: Host) -> None:
    host.config("[profile dev]\nregion = eu-west-3\noutput = text\n[profile mine]\nregion = x\n")

    ctl(host, "profile", "add", "mine", "--", "--profile", "dev")
    ctl(host, "profile", "add", "new", "--region", "eu-north-1", "--", "--profile", "dev")

    assert config(host).count("region = eu-west-3") == 1
    assert config(host).endswith(
        f"[profile mine]\nregion = x\ncredential_process = {CREDPROC} --profile dev\n"
        "output = text\n\n"
        f"[profile new]\ncredential_process = {CREDPROC} --profile dev\nregion = eu-north-1\n"
        "output = text\n"
    )


@pytest.mark.parametrize(
    "before",
    [
        "[profile app]",
        "[default]\nregion = x\n[profile app]\n\n\n[profile b]\nregion = y",
        "[profile app]\nregion=x\n# a note\n",
        "[profile app]\ncredential_process = helper --for app\nregion = x\n",
        "[default]\r\nregion = x\r\n\r\n",
        "[default]\nregion = x\n\n\n",
        "[default]\nregion = x",
    ],
)
def test_removal_brings_back_every_byte_of_the_original(host: Host, before: str) -> None:
    path = host.config("")
    path.write_bytes(before.encode())

    ctl(host, "profile", "add", "app", "--replace", "--", "--imds")
    ctl(host, "profile", "add", "other", "--region", "eu-west-1")
    kept = path.with_name("config.credproc.bak").read_bytes()
    ctl(host, "profile", "remove", "app")
    ctl(host, "profile", "remove", "other")

    assert kept == before.encode()
    assert path.read_bytes() == before.encode()
    assert sorted(each.name for each in path.parent.iterdir()) == ["config", "config.lock"]


def test_read_only_config_is_named_with_the_lines_to_add(host: Host) -> None:
    path = host.config(CONFIG)
    path.chmod(0o444)

    result = host.run("profile", "add", "app", "--region", "eu-west-1", command=CREDPROCCTL)

    assert result.status == 1
    assert result.stdout.decode() == (
        f"[profile app]\ncredential_process = {CREDPROC}\nregion = eu-west-1\n"
    )
    assert one_line(result) == (f"{path} is read-only (see chmod); add these lines by hand")
    assert [each.name for each in path.parent.iterdir()] == ["config"]
    assert "is read-only" in failed(host, "profile", "remove", "app")


@pytest.mark.needs("namespaces", "mount")
def test_config_that_is_a_mount_point_is_reported_and_no_file_is_left_behind(host: Host) -> None:
    path = host.config(CONFIG)
    words = f"{CREDPROCCTL} profile add app --output json -- --imds"

    result = host.run(
        "--mount", "sh", "-c", f"mount --bind {path} {path} && exec {words}", command="unshare"
    )

    assert result.status == 1
    found = json.loads(result.stdout)
    assert found["credential_process"] == f"{CREDPROC} --imds"
    assert "is a mount point" in found["problem"]
    assert one_line(result) == f"{found['problem']}; add these lines by hand"
    assert [each.name for each in path.parent.iterdir()] == ["config"]


def test_config_of_a_package_manager_is_named() -> None:
    reason = rewriting.obstacle("/nix/store/0a1b-home-manager-files/.aws/config")

    assert reason.startswith("is in /nix/store/, managed by Nix or Home Manager: change it in")


def test_temporary_files_of_a_killed_run_are_removed(host: Host) -> None:
    path = host.config(CONFIG)
    left = path.with_name(f"config.credproc.bak.{os.getpid()}.0123abcd.tmp")
    mine = path.with_name("config.1.tmp")
    for each in (left, mine):
        each.touch()

    ctl(host, "profile", "add", "app")

    assert (left.exists(), mine.exists()) == (False, True)
