"""No secret gets out: not at the highest verbosity, not in any failure, not in part.

Entries, the documents on stdout and the helpers' own variables are where secrets belong.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import stat
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

import credproc
from tests import cachedir, canaries, needs
from tests.canaries import SHAPES, Search, cut_off, message, page, sts_error
from tests.harness import CREDPROC, NOWHERE, SCRIPTS
from tests.servers import faults
from tests.servers.container import ContainerServer
from tests.servers.sso import SsoPortal, write_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.harness import Host, Result
    from tests.servers.base import Fault
    from tests.servers.imds import ImdsServer
    from tests.servers.sts import StsServer

ROLE = "arn:aws:iam::123456789012:role/app"
DEVICE = "arn:aws:iam::123456789012:mfa/laptop"

#: The beginning of a helper: it leaves what others can see of it.
WITNESS = """#!/bin/sh
tr '\\0' '\\n' </proc/$$/cmdline >>"$0.cmdline"
cat /proc/$$/limits >"$0.limits"
tr '\\0' '\\n' </proc/$$/environ >>"$0.environ"
"""


class Scene:
    """A host with every kind of secret, the services that know them, and the search."""

    def __init__(self, host: Host, imds: ImdsServer, sts: StsServer) -> None:
        self.host, self.imds, self.sts = host, imds, sts
        self.container = ContainerServer(token=canaries.CONTAINER_TOKEN)
        self.sso = SsoPortal(canaries.LOGIN_TOKEN)
        self.log = host.folder / "log"
        self.temporary = host.folder / "tmp"
        self.temporary.mkdir()
        self.helper = host.folder / "helper"
        host.environ |= {
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url,
            "AWS_ENDPOINT_URL": sts.url,
            "AWS_ENDPOINT_URL_SSO": self.sso.url,
            "AWS_DEFAULT_REGION": "eu-central-1",
            "CREDPROC_LOG": str(self.log),
            "TMPDIR": str(self.temporary),
        }
        self.keys: dict[str, str] = {
            "AWS_ACCESS_KEY_ID": canaries.ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": canaries.SECRET_KEY,
            "AWS_SESSION_TOKEN": canaries.SESSION_TOKEN,
        }

    def end(self) -> None:
        self.container.stop()
        self.sso.stop()

    def secrets(self) -> set[str]:
        """Return every secret that a service has sent, or that the user has."""
        own = {value for name, value in vars(canaries).items() if name in OWN}
        keys = {each.access_key for each in self.sts.issued} | {self.imds.current["AccessKeyId"]}
        served = self.imds.secrets | self.sts.secrets | self.container.secrets
        portal = {
            str(value)
            for name, value in self.sso.current("123456789012", "Developer").items()
            if name != "expiration"
        }
        return own | keys | served | portal | {canaries.MFA_CODE}

    def run(self, *args: str, env: dict[str, str] | None = None, seconds: int = 2) -> Result:
        """Run credproc as loudly as it can be, and see that no secret gets out."""
        return self.watched([str(CREDPROC), *args, "-v", "--timeout", str(seconds)], env)

    def watched(self, command: list[str], env: dict[str, str] | None = None) -> Result:
        """Run a command, and see that no secret gets out."""
        environ = self.host.env(**(env or {}))
        result = self.host.processes.start(command, environ, cwd=self.host.home).wait()
        self.check(result)
        return result

    def check(self, result: Result) -> None:
        search = Search(self.secrets())
        if result.status:
            assert result.stdout == b"", result
        search.check("stderr", result.stderr)
        assert "\x1b" not in result.stderr
        search.check("the log", self.log.read_text() if self.log.exists() else "")
        own = [self.host.home / ".aws", self.host.cache, self.helper]
        own += [self.host.folder / name for name in ("helper.environ", "helper.token")]
        search.check_files(self.host.folder, but=own)
        for entry in cachedir.entries(self.host.cache):
            search.check("the failure in an entry", entry.failure)
        environ = self.host.folder / "helper.environ"
        if environ.exists():  # where only what the user put there belongs
            text = environ.read_text()
            for given in self.keys.values():
                text = text.replace(given, "")
            search.check("a helper's environment", text)

    def write_helper(self, script: str) -> str:
        """Write a helper that does this; return its path."""
        self.helper.write_text(WITNESS + script)
        self.helper.chmod(0o700)
        return str(self.helper)

    def token_file(self, token: str) -> str:
        """Write a token to a file; return its path."""
        path = self.host.folder / "helper.token"
        path.write_text(token + "\n")
        path.chmod(0o600)
        return str(path)


OWN = ("ACCESS_KEY", "SECRET_KEY", "SESSION_TOKEN", "EXTERNAL_ID", "CONTAINER_TOKEN", "WEB_TOKEN",
       "LOGIN_TOKEN", "REFRESH_TOKEN", "HELPER_SECRET")  # fmt: skip


@pytest.fixture
def scene(host: Host, imds: ImdsServer, sts: StsServer) -> Iterator[Scene]:
    made = Scene(host, imds, sts)
    try:
        yield made
    finally:
        made.end()


IMDS: dict[str, tuple[str, Fault]] = {
    f"refused, {shape}": ("creds", message(shape, Code="Failed")) for shape in SHAPES
}
IMDS |= {
    "a code that is a secret": (
        "creds",
        faults.mutate(lambda data: {**data, "Code": data["SecretAccessKey"]}),
    ),
    "truncated": ("creds", cut_off()),
    "cut off in a secret": ("creds", cut_off(share=0.5)),
    "a bad status": ("creds", cut_off(400, 1)),
    "not well": ("creds", cut_off(500, 1)),
    "a created status": ("creds", cut_off(201, 1)),
    "no end": ("creds", faults.without("Expiration")),
    "an odd end": ("creds", faults.fields(Expiration="canaryToken")),
    "an odd token": ("creds", faults.mutate(lambda data: {**data, "Token": data["Token"] + "\n"})),
    "an odd secret": ("creds", faults.fields(SecretAccessKey={"canary": 1})),
    "no token": ("creds", faults.without("Token")),
    "a list": ("creds", faults.mutate(lambda data: data["Token"])),
    "ended": ("creds", faults.fields(Expiration="2020-01-01T00:00:00Z")),
    "a page instead of the role": ("list", page(200)),
    "the token instead of the role": ("list", page(200, "a part", "text/plain")),
    "a refusal that repeats": ("list", page(403)),
    "a page instead of the token": ("token", page(200)),
}


@pytest.mark.parametrize("name", needs.thinned(IMDS))
def test_imds_that_repeats_secrets_is_not_quoted(scene: Scene, name: str) -> None:
    step, fault = IMDS[name]
    scene.imds.fail(step, fault)

    result = scene.run()

    assert (result.status == 0) == (name == "ended")
    assert len(scene.imds.secrets) >= (0 if step == "token" else 1)


STS: dict[str, Fault] = {f"refused, {shape}": sts_error("AccessDenied", shape) for shape in SHAPES}
STS |= {
    "a value that is repeated": sts_error("ValidationError", "whole"),
    "a source that is rejected": sts_error("ExpiredToken", "the first half"),
    "an unknown token": sts_error("InvalidClientTokenId", "a part"),
    "a bad signature": sts_error("SignatureDoesNotMatch", "whole"),
    "not well": sts_error("InternalFailure", "whole"),
    "throttled": sts_error("Throttling", "the first half"),
    "truncated": cut_off(),
    "a page": page(200),
    "a refusal that is a page": page(403),
    "a page behind a gateway": page(502),
}


@pytest.mark.parametrize("name", needs.thinned(STS))
def test_sts_that_repeats_parameters_is_not_quoted(scene: Scene, name: str) -> None:
    scene.sts.fail(STS[name])
    command = scene.write_helper(f"echo {canaries.MFA_CODE}")

    result = scene.run(
        "--role-arn", ROLE, "--external-id", canaries.EXTERNAL_ID, "--serial-number", DEVICE,
        "--mfa-command", command, "--source", "env", env=scene.keys,
    )  # fmt: skip

    assert result.status == 1
    assert scene.sts.calls[0].parameters["ExternalId"] == canaries.EXTERNAL_ID
    assert scene.sts.calls[0].parameters["TokenCode"] == canaries.MFA_CODE
    assert ROLE in result.stderr
    assert (scene.host.folder / "helper.cmdline").exists()


def test_success_at_the_highest_verbosity_shows_ends_of_keys_only(scene: Scene) -> None:
    for args, code in (((), canaries.MFA_CODE), (("--refresh",), "271828")):
        command = scene.write_helper(f"echo {code}")
        result = scene.run(
            *args, "--role-arn", ROLE, "--external-id", canaries.EXTERNAL_ID, "--serial-number",
            DEVICE, "--mfa-command", command, "--role-arn", f"{ROLE}2", "--source", "imds",
        )  # fmt: skip
        assert result.status == 0, result
        assert f"...{scene.sts.issued[-1].access_key[-4:]}" in result.stderr


CONTAINER: dict[str, Fault] = {
    "refused": page(401, content_type="text/plain"),
    "refused with a part": page(403, "a part"),
    "refused with all it has": cut_off(403, 1),
    "a created status": cut_off(201, 1),
    "not well": page(500),
    "truncated": cut_off(),
    "cut off in a secret": cut_off(share=0.5),
    "no end": faults.without("Expiration"),
    "an odd end": faults.fields(Expiration="canaryToken"),
}


@pytest.mark.parametrize(
    ("name", "kept"), [*((name, "variable") for name in CONTAINER), ("refused", "file")]
)
def test_container_that_repeats_its_token_is_not_quoted(scene: Scene, name: str, kept: str) -> None:
    scene.container.fail(CONTAINER[name])
    env = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": scene.container.full_uri}
    if kept == "variable":
        env["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = canaries.CONTAINER_TOKEN
    else:
        path = scene.token_file(canaries.CONTAINER_TOKEN)
        env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = path

    result = scene.run("--role-arn", ROLE, "--source", "container", env=env, seconds=5)

    assert result.status == 1, result
    assert scene.container.requests


@pytest.mark.parametrize("name", ["RELATIVE", "FULL"])
def test_uri_that_contains_a_secret_is_not_shown(host: Host, name: str) -> None:
    guid = "8a1f6c9e-canary-4b1d-9c55-0c2f5d7e9a10"
    host.environ[f"AWS_CONTAINER_CREDENTIALS_{name}_URI"] = f"/v2/credentials/{guid}"
    if name == "FULL":
        host.environ[f"AWS_CONTAINER_CREDENTIALS_{name}_URI"] = f"{NOWHERE}/v2/credentials/{guid}"
    log = host.folder / "log"
    argv = ["--role-arn", ROLE, "--source", "container"]

    if name == "FULL":  # the other's address is the same on every machine
        result = host.run(*argv, "-v", "--timeout", "2", CREDPROC_LOG=str(log))
        assert result.status == 1
        assert guid not in result.stderr + log.read_text("utf-8")
        assert {guid in entry.failure for entry in cachedir.entries(host.cache)} == {False}
    explained = host.run("explain", "--", *argv, command=SCRIPTS / "credprocctl")
    assert explained.status == 0
    assert f"AWS_CONTAINER_CREDENTIALS_{name}_URI=" in explained.stdout.decode()
    assert guid not in explained.stdout.decode()


def test_password_in_an_endpoint_is_not_shown(host: Host) -> None:
    host.environ |= {
        "AWS_ENDPOINT_URL_STS": NOWHERE.replace("//", "//me:canaryPassword@"),
        "AWS_ACCESS_KEY_ID": canaries.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": canaries.SECRET_KEY,
        "AWS_REGION": "eu-central-1",
    }
    log = host.folder / "log"
    argv = ["--role-arn", ROLE, "--source", "env"]

    result = host.run(*argv, "-v", CREDPROC_LOG=str(log))
    explained = host.run("explain", "--", *argv, command=SCRIPTS / "credprocctl")
    assert result.status == 1
    assert "//[secret]@127.0.0.1" in result.stderr
    assert "//[secret]@127.0.0.1" in explained.stdout.decode()
    assert (
        "canaryPassword" not in result.stderr + log.read_text("utf-8") + explained.stdout.decode()
    )


@pytest.mark.parametrize(
    ("way", "shape"),
    [("variable", "whole"), ("variable", "quoted in JSON"), ("profile", "a part")],
)
def test_web_identity_that_is_repeated_is_not_quoted(scene: Scene, way: str, shape: str) -> None:
    scene.sts.fail(sts_error("InvalidIdentityToken", shape))
    path = scene.token_file(canaries.WEB_TOKEN)
    if way == "variable":
        args = ["--role-arn", ROLE, "--source", "web-identity"]
        env = {"AWS_WEB_IDENTITY_TOKEN_FILE": path, "AWS_ROLE_ARN": ROLE}
    else:
        args, env = ["--profile", "pod"], {}
        scene.host.config(
            f"[profile pod]\nrole_arn = {ROLE}\nweb_identity_token_file = {path}\n"
            "region = eu-central-1\n"
        )

    assert scene.run(*args, env=env).status == 1
    assert scene.sts.calls


SSO = """\
[profile dev]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Developer
region = eu-central-1

[sso-session corp]
sso_start_url = https://portal.example/start
sso_region = eu-central-1
"""


def refuse(text: str) -> Fault:
    """Refuse as the portal does, with this text."""
    headers = {"x-amzn-ErrorType": "ForbiddenException"}
    return faults.status(403, f'{{"message": "{text}"}}'.encode(), headers)


@pytest.mark.parametrize("shape", ["whole", "the first half"])
def test_login_that_is_repeated_is_not_quoted(scene: Scene, shape: str) -> None:
    scene.host.config(SSO)
    write_token(scene.host.home, "corp", "eu-central-1", time.time() + 3600, canaries.LOGIN_TOKEN)

    def refused(exchange: Any) -> None:
        text = canaries.repeat(shape, canaries.secrets_in(exchange))
        refuse(text)(exchange)

    scene.sso.fail(refused)
    result = scene.run("--profile", "dev")

    assert result.status == 1
    assert "[secret]" in result.stderr


@pytest.mark.parametrize("folder", [None, "signin"])
def test_token_of_aws_login_that_is_repeated_is_not_quoted(
    scene: Scene, folder: str | None
) -> None:
    # By a portal: botocore asks the sign-in service itself only if an extra of it is installed.
    scene.host.config(SSO)
    write_token(scene.host.home, "corp", "eu-central-1", time.time() + 3600, canaries.LOGIN_TOKEN)
    logins = scene.host.home / ".aws" / (folder or "login/cache")
    logins.mkdir(parents=True)
    (logins / "0123.json").write_text(f'{{"refreshToken": "{canaries.REFRESH_TOKEN}"}}')
    text = canaries.repeat("whole", [canaries.REFRESH_TOKEN])
    scene.sso.fail(refuse(text))

    env = {"AWS_LOGIN_CACHE_DIRECTORY": "~/.aws/signin"} if folder else {}
    result = scene.run("--profile", "dev", env=env)

    assert result.status == 1
    assert "[secret]" in result.stderr


DOCUMENT = (
    '{"Version": 1, "AccessKeyId": "AKIACANARYHELPER0001", '
    f'"SecretAccessKey": "{canaries.HELPER_SECRET}", "SessionToken": "{canaries.SESSION_TOKEN}"'
)
HELPERS = {
    "truncated": f"echo '{DOCUMENT}'",
    "without a version": f"echo '{DOCUMENT[:1]}{DOCUMENT[15:]}}}'",
    "an odd end": f"""echo '{DOCUMENT}, "Expiration": "canaryToken"}}'""",
    "failed after all": f"echo '{DOCUMENT}}}'; exit 3",
    "failed loudly": f"echo '{DOCUMENT}}}' >&2; exit 3",
}


@pytest.mark.parametrize("name", HELPERS)
def test_credential_process_that_fails_is_not_quoted_with_its_document(
    scene: Scene, name: str
) -> None:
    command = scene.write_helper(HELPERS[name])
    scene.host.config(f"[profile slow]\ncredential_process = {command}\n")

    result = scene.run("--profile", "slow", env=scene.keys)

    assert result.status != 0, result
    assert (scene.host.folder / "helper.environ").exists()


MFA = {
    "a code with more": f"echo {canaries.MFA_CODE} {canaries.HELPER_SECRET}",
    "the code on stderr": f"echo the code is {canaries.MFA_CODE} >&2; exit 1",
    "nothing": "true",
}


@pytest.mark.parametrize("name", MFA)
def test_mfa_command_that_fails_is_not_quoted(scene: Scene, name: str) -> None:
    command = scene.write_helper(MFA[name])

    result = scene.run(
        "--role-arn", ROLE, "--serial-number", DEVICE, "--mfa-command", command, "--source", "env",
        env=scene.keys,
    )  # fmt: skip

    assert result.status == 1


USAGE = [
    ["--role-arn", canaries.SECRET_KEY, "--source", "env"],
    ["--role-arn", ROLE, "--source", canaries.SESSION_TOKEN],
    ["--role-arn", ROLE, "--source", "env", "--external-id", f"{canaries.SECRET_KEY}!"],
    ["--role-arn", ROLE, "--source", "env", "--role-session-name", canaries.SECRET_KEY],
    ["--role-arn", ROLE, "--source", "env", "--serial-number", f"{canaries.SESSION_TOKEN}!"],
    ["--role-arn", ROLE, "--source", "env", "--tag", canaries.SECRET_KEY],
    ["--role-arn", ROLE, "--source", "env", "--policy", canaries.SECRET_KEY],
    [canaries.SECRET_KEY],
    ["--timeout", canaries.SECRET_KEY],
    ["--field", canaries.SESSION_TOKEN],
    ["--imds", canaries.SECRET_KEY],
    [f"--{canaries.SESSION_TOKEN}"],
    [f"--refresh={canaries.SECRET_KEY}"],
]


@pytest.mark.parametrize("args", USAGE, ids=lambda args: " ".join(args)[:40])
def test_secret_that_lost_its_option_is_not_repeated(scene: Scene, args: list[str]) -> None:
    assert scene.run(*args).status == 2


PARTIAL = f"[laptop]\naws_access_key_id = {canaries.ACCESS_KEY}\n"
CONFIGS = {
    "keys without a secret": (PARTIAL, ""),
    "a line that is none": ("", f"[profile laptop]\n{canaries.SECRET_KEY}\n"),
    "a section that is none": (f"[laptop\naws_secret_access_key = {canaries.SECRET_KEY}\n", ""),
    "a key that is odd": (
        f"{PARTIAL}aws_secret_access_key = {canaries.SECRET_KEY}\n",
        f"[profile laptop]\nrole_arn = {canaries.SECRET_KEY}\nsource_profile = laptop\n",
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_config_that_cannot_be_read_is_not_repeated(scene: Scene, name: str) -> None:
    keys, config = CONFIGS[name]
    scene.host.credentials(keys)
    scene.host.config(config)

    assert scene.run("--profile", "laptop").status != 0


#: Runs credproc with a mistake in it: a function that raises, with a secret in its hands.
MISTAKE = """
import os, sys
import credproc.{module} as module
def broken(*args, **options):
    secret = {secret!r}
    try:
        {{secret: 1}}[secret + "x"]
    except KeyError as error:
        raise {kind}(f"cannot handle {{secret}}") from error
module.{name} = broken
from credproc.__main__ import hand_over
sys.exit(hand_over(sys.argv[1:], os.environ))
"""


@pytest.mark.parametrize("kind", ["ValueError", "KeyError", "RuntimeError", "OSError", "TypeError"])
@pytest.mark.parametrize(
    ("module", "name"), [("providers.imds", "_credentials"), ("credentials", "document")]
)
def test_traceback_of_an_internal_error_contains_no_data(
    scene: Scene, kind: str, module: str, name: str
) -> None:
    script = MISTAKE.format(module=module, name=name, kind=kind, secret=canaries.SECRET_KEY)

    result = scene.watched([sys.executable, "-c", script, "-v"], scene.keys)

    assert result.status == 1
    assert "Traceback" in result.stderr or "line " in result.stderr
    assert "internal error in credproc" in result.stderr.splitlines()[-1]


def test_core_dumps_are_off_for_a_miss_and_its_helpers(scene: Scene) -> None:
    command = scene.write_helper(f"echo {canaries.MFA_CODE}")
    script = 'ulimit -c unlimited 2>/dev/null; exec "$0" "$@"'
    args = ["--role-arn", ROLE, "--serial-number", DEVICE, "--mfa-command", command]

    result = scene.watched(
        ["/bin/sh", "-c", script, str(CREDPROC), *args, "--source", "env"], scene.keys
    )

    assert result.status == 0, result
    limits = (scene.host.folder / "helper.limits").read_text()
    found = re.search(r"Max core file size +(\w+) +(\w+)", limits)
    assert found
    assert found.groups() == ("0", "unlimited")


def test_log_is_private_and_never_followed(scene: Scene) -> None:
    scene.run()
    assert stat.S_IMODE(scene.log.stat().st_mode) == 0o600
    target = scene.host.folder / "target"
    scene.log.rename(target)
    scene.log.symlink_to(target)
    before = target.read_bytes()
    scene.run("--refresh")
    assert target.read_bytes() == before


def modules() -> list[str]:
    """Return the names of all modules of the package."""
    found = pkgutil.walk_packages(credproc.__path__, "credproc.")
    return ["credproc", *(each.name for each in found if not each.name.endswith("__main__"))]


def classes() -> list[type]:
    """Return every class of the package, private ones included."""
    found: dict[str, type] = {}
    for name in modules():
        for each in vars(importlib.import_module(name)).values():
            if inspect.isclass(each) and each.__module__.startswith("credproc"):
                found[f"{each.__module__}.{each.__qualname__}"] = each
    return [found[name] for name in sorted(found)]


def attributes(kind: type) -> set[str]:
    """Return the names of what an object of the class may hold."""
    names: set[str] = set()
    for each in kind.__mro__[:-1]:
        names |= set(getattr(each, "__annotations__", {}))
        slots = vars(each).get("__slots__", ())
        names |= {slots} if isinstance(slots, str) else set(slots)
        if each.__module__.startswith("credproc"):
            tree = ast.parse(inspect.getsource(inspect.getmodule(each) or credproc))
            names |= {
                node.attr
                for node in ast.walk(tree)
                if isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "self"
            }
    return names


#: What is shown of an object on purpose.
SHOWN = {
    "Entry": {"provider", "expiration"},
    "Credentials": {"provider"},
    "Near": {"path", "line", "problem"},
}
#: What no secret can be in the place of, as an object uses it when it goes.
CLOSED = {"Query": {"_idle"}}


def filled(kind: type) -> Any:
    """Return an object of the class that holds a secret wherever it can hold something."""
    if issubclass(kind, BaseException):
        return kind.__new__(kind)
    if issubclass(kind, tuple):
        # What is an object of a class of ours shows itself, and is a case of its own.
        ours = {each.__name__ for each in classes()}
        types = {
            name: getattr(kind, "__forward_arg__", kind)
            for name, kind in getattr(kind, "__annotations__", {}).items()
        }
        values: list[Any] = [
            None if types.get(name) in ours else canaries.SECRET_KEY
            for name in getattr(kind, "_fields", ())
        ]
        return kind.__new__(kind, *values)
    made = kind.__new__(kind)
    for name in SHOWN.get(kind.__name__, set()):
        object.__setattr__(made, name, 1)
    for name in CLOSED.get(kind.__name__, ()):
        object.__setattr__(made, name, None)
    given = SHOWN.get(kind.__name__, set()) | CLOSED.get(kind.__name__, set())
    for name in attributes(kind) - given:
        for holder in (canaries.SECRET_KEY, [canaries.SECRET_KEY], {"x": canaries.SECRET_KEY}):
            try:
                object.__setattr__(made, name, holder)
                break
            except (AttributeError, TypeError):
                continue
    return made


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_no_object_shows_a_secret_in_its_repr(kind: type) -> None:
    if getattr(kind, "_is_protocol", False) or inspect.isabstract(kind):
        return
    made = filled(kind)
    shown: list[Callable[[Any], str]] = [repr, str, "{}".format, lambda made: f"{made!r} {[made]}"]
    search = Search([canaries.SECRET_KEY])
    for show in shown:
        try:
            text = show(made)
        except (AttributeError, TypeError):
            continue  # it cannot be shown at all
        search.check(kind.__qualname__, text)


def test_all_classes_that_hold_secrets_are_among_them() -> None:
    names = {f"{kind.__module__}.{kind.__name__}" for kind in classes()}
    assert names >= {
        "credproc.cache.Entry",
        "credproc.credentials.Credentials",
        "credproc.log.Log",
        "credproc.mfa.Mfa",
        "credproc.run.Run",
        "credproc.hop.Hop",
    }


def test_search_finds_parts_of_eight() -> None:
    search = Search([canaries.SECRET_KEY, canaries.MFA_CODE])
    assert search.found(f"x{canaries.SECRET_KEY[5:13]}x")
    assert not search.found(f"x{canaries.SECRET_KEY[5:12]}x")
    assert search.found(f"code {canaries.MFA_CODE}.") == {canaries.MFA_CODE}
