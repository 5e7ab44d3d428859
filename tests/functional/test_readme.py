"""The documentation is true: its commands are run, its tables are compared with the code."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
import yaml  # type: ignore[import-untyped]

from credproc import helptext, refresh, windows
from credproc.providers import stsendpoint
from credproc.providers.profile import CREDENTIAL_SOURCES
from tests import artefacts, readme
from tests.harness import SCRIPTS
from tests.loopback import OTHER_ACCOUNT, Loopback
from tests.servers import sso
from tests.servers.container import ContainerServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.harness import Host, Result
    from tests.readme import Block, Section
    from tests.servers.sts import StsServer

PROFILE = re.compile(r"\[profile (\S+)\]")
#: A profile that a reader adds.
ADDED = re.compile(r"^\$ credprocctl profile add (\S+)", re.MULTILINE)
#: Ends the output of a command; no terminal prints it.
END = "\x01"

#: Programs of other projects, which the README uses as examples.
OTHERS = {
    "ykman": "echo run >> $HOME/ykman-runs; echo 123456",
    "aws-vault": "echo run >> $HOME/aws-vault-runs; cat $HOME/exported.json",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    env = {"PATH": "/usr/bin:/bin", "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}
    with Loopback(tmp_path_factory.mktemp("world"), env=env) as loopback:
        yield loopback


@dataclass
class Reader:
    """A reader who follows a section on a machine of their own."""

    host: Host
    world: Loopback
    sts: StsServer
    container: ContainerServer
    portal: sso.SsoPortal

    def prepare(self) -> None:
        """Give the machine the README's first profiles, and the programs of other projects."""
        self.world.furnish(self.host)
        self.host.environ["AWS_DEFAULT_REGION"] = None
        programs = self.host.home / "bin"
        programs.mkdir()
        for name, script in OTHERS.items():
            (programs / name).write_text(f"#!/bin/sh\n{script}\n")
            (programs / name).chmod(0o755)
        exported = (
            '{"Version": 1, "Expiration": "2999-01-01T00:00:00Z", '
            f'"AccessKeyId": "{self.world.key}", "SecretAccessKey": "{self.world.secret}"}}'
        )
        (self.host.home / "exported.json").write_text(exported)
        # What `aws sso login` leaves, and that STS knows whom the portal's credentials belong to.
        sso.write_token(self.host.home, "corp", "eu-central-1", time.time() + 3600)
        session = "assumed-role/AWSReservedSSO_Developer_0a1b2c3d4e5f6071/ann"
        key = self.portal.current("123456789012", "Developer")["accessKeyId"]
        self.sts.trust(key, f"arn:aws:sts::123456789012:{session}")

    def configure(self, section: Section) -> None:
        """Write the section's config, and the profiles of the first example that it lacks."""
        texts = [block.text for block in section.blocks if block.kind == "config"]
        own = set(PROFILE.findall("".join(texts)))
        own |= set(ADDED.findall("".join(block.text for block in section.blocks)))
        first = re.split(r"\n(?=\[)", readme.section("Examples", "credproc").blocks[0].text)
        texts += [part for part in first if not own & set(PROFILE.findall(part))]
        self.host.config(self.here("\n".join(texts)))

    def here(self, text: str) -> str:
        """Return the text with the paths of this machine."""
        for name in OTHERS:
            text = re.sub(rf"/usr/(local/)?bin/{name}\b", str(self.host.home / "bin" / name), text)
        text = text.replace("/usr/local/bin/", f"{SCRIPTS}/")
        return text.replace("/home/ann", str(self.host.home))

    def elsewhere(self, text: str) -> str:
        """Return the text with the paths and addresses of the README's machine."""
        text = text.replace(f"{SCRIPTS}/", "/usr/local/bin/")
        text = text.replace(self.world.imds.url, "http://169.254.169.254")
        return text.replace(str(self.host.home), "/home/ann")

    def env(self, kind: str) -> dict[str, str]:
        """Return the variables of the machine that a block is for."""
        if kind == "laptop":
            return self.world.laptop
        if kind == "web-identity":
            return {**self.world.laptop, "AWS_ENDPOINT_URL": self.sts.url, "OIDC_TOKEN": "a token"}
        if kind == "sso":
            portal = {"AWS_ENDPOINT_URL_SSO": self.portal.url}
            return {**self.world.laptop, **portal, "AWS_ENDPOINT_URL": self.sts.url}
        if kind == "container":
            uri = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": self.container.full_uri}
            return {**self.world.instance, **uri, "AWS_ENDPOINT_URL": self.sts.url}
        if kind in ("admin", "ec2"):
            instance = {"INSTANCE": an_instance(self.world), "AWS_DEFAULT_REGION": "eu-central-1"}
            return {**self.world.laptop, **instance, "AWS_PROFILE": "laptop"}
        assert kind == "instance"
        return self.world.instance

    def shell(self, script: str, env: dict[str, Any]) -> Result:
        """Run a shell script on the machine that the variables make it."""
        return self.host.run("-c", script, command="/bin/sh", **env)

    def do(self, block: Block) -> None:
        """Run a block's commands in one shell, and compare their output with the block's."""
        commands = block.commands
        script = "".join(f"{{ {command}\n}} 2>&1; echo {END}$?\n" for command, _ in commands)
        result = self.shell(script, self.env(block.kind))
        *said, rest = re.split(rf"{END}(\d+)\n", result.stdout.decode())
        assert (rest, result.stderr) == ("", ""), result
        for (command, promised), output, status in zip(
            commands, said[::2], said[1::2], strict=True
        ):
            shown = self.elsewhere(output)
            pattern = ".*".join(map(re.escape, promised.split("...")))
            assert re.fullmatch(pattern, shown, re.DOTALL), f"{command}\n{output}"
            assert (status != "0") == promised.startswith("credproc: "), f"{command}\n{output}"


@pytest.fixture
def reader(host: Host, world: Loopback, sts: StsServer) -> Iterator[Reader]:
    with ContainerServer() as container, sso.SsoPortal() as portal:
        made = Reader(host, world, sts, container, portal)
        made.prepare()
        yield made


def an_instance(world: Loopback) -> str:
    """Return the id of an EC2 instance."""
    client: Any = botocore.session.Session().create_client(
        "ec2",
        region_name="eu-central-1",
        endpoint_url=world.moto.url,
        aws_access_key_id=world.key,
        aws_secret_access_key=world.secret,
    )
    made = client.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)
    return str(made["Instances"][0]["InstanceId"])


KINDS = ("laptop", "sso", "instance", "web-identity", "container", "ec2", "admin")
RUN = [each for each in readme.sections() if any(b.kind in KINDS for b in each.blocks)]


@pytest.mark.parametrize("section", RUN, ids=str)
def test_commands_of_the_section_work(section: Section, reader: Reader) -> None:
    reader.configure(section)

    for block in section.blocks:
        if block.kind in KINDS:
            reader.do(block)


@pytest.mark.parametrize("section", readme.sections(), ids=str)
def test_every_block_is_tried(section: Section) -> None:
    tried = {
        "console": (*KINDS, "install", "develop", "ci", "docker", "usage"),
        "docker": ("docker",),
        "ini": ("config", "unit", "extract", "usage"),
        "sh": ("script",),
        "text": ("crontab", "line", "picture", "extract", "words", "usage"),
        "yaml": ("workflow",),
        "diff": ("usage",),
    }

    for block in section.blocks:
        assert block.kind.partition(":")[0] in tried[block.language], f"line {block.line}"


def test_profiles_of_the_example_give_the_instances_role_or_the_chain(reader: Reader) -> None:
    reader.configure(readme.section("Examples", "credproc"))
    who = "aws sts get-caller-identity --query Arn --output text --profile"
    app = "arn:aws:sts::123456789012:assumed-role/app/i-0a1b2c3d4e5f60718\n"
    deploy = f"arn:aws:sts::{OTHER_ACCOUNT}:assumed-role/deploy/credproc-"

    def identity(profile: str, env: dict[str, str]) -> str:
        return reader.shell(f"{who} {profile}", env).stdout.decode()

    assert identity("app", reader.world.instance) == app
    assert identity("anywhere", reader.world.instance) == app
    assert identity("anywhere", reader.world.laptop).startswith(deploy)


def test_recipes_of_the_front_page_are_parts_of_the_manuals() -> None:
    """Which tests run."""
    front = [block for each in _of(readme.FRONT) for block in each.blocks]
    manual = [block.text for each in _of(f"{readme.MANUAL}/recipes.rst") for block in each.blocks]
    extracts = [block for block in front if block.kind == "extract"]

    assert len(extracts) > 3
    for block in extracts:
        assert any(block.text in text for text in manual), block


def _of(page: str) -> list[Section]:
    return [section for section in readme.sections() if section.page == page]


def test_front_page_is_short() -> None:
    text = readme.text(readme.FRONT)

    assert len(text.splitlines()) <= 300
    assert len(text.split()) <= 1800


def test_both_commands_of_the_front_page_are_run_by_ci() -> None:
    lines = (artefacts.source() / ".ci" / "run").read_text().replace("\\\n", "")
    blocks = readme.section("Try it and run the tests").blocks

    commands = [command for block in blocks for command, _ in block.commands]
    assert commands == ["python3 tests/demo.py", "python3 tests/run.py"]
    assert re.findall(r"^\"\$root/\.ci/bare\" .*?(python3 .*)$", lines, re.MULTILINE) == commands


def test_there_is_one_prompt_for_all_runs(reader: Reader) -> None:
    section = readme.section("MFA", "recipes")
    reader.configure(section)
    (block,) = [block for block in section.blocks if block.kind == "laptop"]

    for _ in range(2):
        reader.do(block)

    assert (reader.host.home / "ykman-runs").read_text() == "run\n"


def test_program_of_a_profile_is_run_once_for_all_runs(reader: Reader) -> None:
    section = readme.section("Coming from other tools")
    reader.configure(section)

    for _ in range(2):
        reader.do(section.blocks[-1])

    assert (reader.host.home / "aws-vault-runs").read_text() == "run\n"


def test_job_of_the_crontab_runs_in_the_environment_of_cron(reader: Reader) -> None:
    section = readme.section("cron")
    reader.configure(section)
    *settings, job = reader.here(section.blocks[0].text).splitlines()
    env = dict(setting.split("=", 1) for setting in settings)
    command = job.split(None, 5)[5]

    result = reader.shell(command, {**env, **reader.world.instance, "PATH": "/usr/bin:/bin"})

    assert result.stdout.decode().endswith("home-account-data\n"), result
    log = reader.host.home / "credproc.log"
    assert "imds" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("dynamic_user", [False, True])
def test_unit_keeps_credentials_in_its_cache_directory(
    dynamic_user: bool, reader: Reader, tmp_path: Path
) -> None:
    section = readme.section("systemd")
    reader.configure(section)
    settings = [line.split("=", 1) for line in section.blocks[0].text.splitlines() if "=" in line]
    given = dict(settings)
    caches = tmp_path / "var-cache"
    real = caches / ("private/" * dynamic_user + given["CacheDirectory"])
    real.mkdir(int(given["CacheDirectoryMode"], 8), parents=True)
    if dynamic_user:
        (caches / given["CacheDirectory"]).symlink_to(real)
    variables = [value.split("=", 1) for name, value in settings if name == "Environment"]
    env = {name: value.replace("%C", str(caches)) for name, value in variables}
    env["AWS_CONFIG_FILE"] = str(reader.host.home / ".aws" / "config")
    reader.host.environ["HOME"] = None

    result = reader.shell(reader.here(given["ExecStart"]), {**env, **reader.world.instance})

    assert result.stdout.decode().endswith("home-account-data\n"), result
    folder = real / "credproc"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.suffix for path in folder.iterdir()} == {".entry", ".lock"}


def test_exit_statuses_of_the_manual_are_correct() -> None:
    (rows,) = readme.section("Exit status", "credproc").tables

    statuses = helptext.EPILOG.partition("exit status:")[2].partition("\n\n")[0]
    assert [row[0] for row in rows] == sorted(set(re.findall(r"\d+", statuses)), key=int)


def test_variables_that_the_code_reads_are_described() -> None:
    name = re.compile(r"\b(?:AWS|CREDPROC)_[A-Z0-9_]*[A-Z0-9]\b")
    known: set[str] = set()
    hidden: set[str] = set()
    for module in (artefacts.source() / "credproc").glob("**/*.py"):
        if "ctl" not in module.parts:
            found = set(name.findall(module.read_text()))
            # Hiding the value of a variable is not reading it.
            (hidden if module.name == "knownsecrets.py" else known).update(found)

    titles = ("Environment", "Output and formats")
    texts = [readme.section(title, "credproc").text for title in titles]
    described = {each for text in texts for each in name.findall(text)}
    assert (known | hidden) - described - set(stsendpoint.UNUSUAL) == set()
    assert described - known == set()


def test_variables_of_a_source_are_those_of_its_credential_source() -> None:
    rows = [row[-1] for row in readme.section("Environment", "credproc").tables[1]]

    for name, kind in CREDENTIAL_SOURCES.items():
        for text in (row for row in rows if f"``--source {kind}``" in row):
            assert f"``credential_source = {name}``" in text
    assert sum(f"``--source {kind}``" in row for kind in ("env", "container") for row in rows) == 2


def test_times_of_the_manual_are_those_of_the_code() -> None:
    rows = {row[0]: " ".join(row[1:]) for row in readme.section("Time").tables[0]}

    assert f"the last {windows.REFRESH_AHEAD // 60} min, or L/2" in rows["refresh ahead"]
    assert f"the last {windows.REFRESH_NOW // 60} min, or L/4" in rows["refresh now"]
    assert f"waits up to {refresh.PATIENCE:g} s for another run" in rows["refresh now"]
    assert f"up to {refresh.ATTEMPT:g} s for its own" in rows["refresh now"]
    assert f"after {windows.RETRY * 0.75:g} to {windows.RETRY * 1.25:g} s" in rows["retry"]
    for lifetime, ahead, now in ((21600, 1800, 960), (3600, 1800, 900), (900, 450, 225)):
        assert windows.windows(0, lifetime, 0.0) == (lifetime - ahead, lifetime - now)
        assert windows.windows(0, lifetime, 1.0) == (lifetime - 0.9 * ahead, lifetime - now)


#: PyPI's own renderer; the page goes to stdout, what it finds wrong to stderr.
PYPI = "import sys; from readme_renderer import rst; print(rst.render(sys.stdin.read()))"


def rendered(command: list[str], text: str) -> str:
    """Return a page as HTML, made by a program that must print no warning."""
    done = subprocess.run(
        [sys.executable, *command], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("page", readme.pages())
def test_page_renders_without_a_warning(page: str) -> None:
    rendered(["-m", "docutils", "--halt=warning", "--report=warning"], readme.text(page))


@pytest.mark.needs("python:readme_renderer")
def test_front_page_renders_on_an_index_without_a_warning() -> None:
    shown = rendered(["-c", PYPI], readme.text(readme.FRONT))

    assert shown.count("<table") > 1


@pytest.mark.parametrize("page", readme.pages())
def test_links_between_pages_work(page: str) -> None:
    text = readme.text(page)
    folder = (artefacts.source() / page).parent

    # In a link's address, a blank is a line end.
    for target in re.findall(r"<([^<>\s]+\.(?:rst|png))>`_", text):
        assert (folder / target).is_file(), target


def test_issue_form_has_what_a_form_needs() -> None:
    (path,) = (artefacts.source() / ".github" / "ISSUE_TEMPLATE").iterdir()
    form = yaml.safe_load(path.read_text(encoding="utf-8"))

    assert {"name", "description", "body"} <= form.keys()
    ids = [each["id"] for each in form["body"]]
    assert len(ids) == len(set(ids)) > 2
    assert all(each["attributes"]["label"] for each in form["body"])
    assert "credprocctl doctor PROFILE --output json" in path.read_text()
