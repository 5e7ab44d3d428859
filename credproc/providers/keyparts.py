"""Cache key parts of a profile's own credentials: keys, SSO, login, web identity, a helper.

The order is botocore's: web identity, SSO, keys in the credentials file, `aws login`,
credential_process, keys in the config file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
from typing import TYPE_CHECKING

from credproc import system
from credproc.answer import SECRET, VARIABLES, mark, masked
from credproc.providers import sts
from credproc.providers.incomplete import SSO
from credproc.regions import home_region, partition
from credproc.variables import CONFIG, CREDENTIALS, ENDPOINT_KEYS, LOGIN_CACHE, path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from credproc.providers.sharedconfig import SharedConfig
    from credproc.run import Run
    from credproc.session import Parts

#: The defaults of the settings that choose an endpoint: no other service, and no global endpoint.
DEFAULTS = ("false", "regional")
WEB_IDENTITY = ("web_identity_token_file", "role_arn", "role_session_name")
#: Bytes of a script, or of a file that a helper reads.
LONGEST = 2**20
#: The characters between the words of a command, and around the paths in it.
_SEPARATORS = re.compile(r"""[\s'"=:,;|&<>()]+""")
#: A variable in a command, also with a default or another operator of the shell's.
_VARIABLE = re.compile(r"\$\{?[#!]?([A-Za-z_]\w*)", re.ASCII)
#: A file that a shell writes to.
_WRITTEN = re.compile(r""">[>|]?\s*([^\s'"=:,;|&<>()]+)""")
#: Variables that are not part of a helper's key as such: the resolved region is, and so are the
#: contents of the files.
RESOLVED = ("AWS_REGION", "AWS_DEFAULT_REGION", CONFIG, CREDENTIALS, *SECRET)


def parts(run: Run, shared: SharedConfig, name: str) -> Parts:
    """Return the cache key parts of the profile's own credentials; of keys only the ID."""
    values = _values(shared, name)
    if shared.profile != name:
        shared = sts.load_config(run, name)  # the profile's own region and endpoints apply
    if values.get("web_identity_token_file"):
        token_file, arn, name = (str(values.get(key) or "") for key in WEB_IDENTITY)
        return web_identity(run, shared, token_file, arn, name)
    if "sso_account_id" in values or "sso_role_name" in values:
        return _sso(run, shared, values)
    keys = values.get("aws_access_key_id")
    if keys and _is_in_credentials_file(run, shared, name):
        return {"keys": str(keys)}
    if values.get("login_session"):
        return _login(run, shared, str(values["login_session"]))
    if values.get("credential_process"):
        return _helper(run, shared, str(values["credential_process"]))
    return {"keys": str(keys or "")}


def is_helper(shared: SharedConfig, name: str) -> bool:
    """Whether the profile has a credential_process."""
    return bool(_values(shared, name).get("credential_process"))


def _values(shared: SharedConfig, name: str) -> dict[str, Any]:
    found = shared.full_config["profiles"].get(name)
    return found if isinstance(found, dict) else {}


def web_identity(run: Run, shared: SharedConfig, token_file: str, arn: str, name: str) -> Parts:
    """Return the cache key parts of a web identity's session: its role and a mark of its token."""
    token = content(run, token_file)
    region = sts.configured_region(run.environ, shared) or home_region(arn)
    return {
        "web_identity": arn,
        # Without a token it fails, and the error names the file.
        "token": mark(token.encode("utf-8", "surrogateescape")) if token else token_file,
        **session_name(run, name),
        **called(run.environ, shared, region, arn),
    }


def called(environ: Mapping[str, str], shared: SharedConfig, region: str, role_arn: str) -> Parts:
    """Return the cache key parts of the STS endpoint that issues a role's session.

    The region is not one of them: sessions from any regional endpoint are valid everywhere. But
    sessions from the global endpoint, which old settings may choose, are not valid in all regions.
    """
    found = endpoints(environ, shared, "STS")
    if found.get("sts_regional_endpoints", "regional") != "regional":
        found["region"] = region
    return {"partition": partition(region or home_region(role_arn)), **found}


def session_name(run: Run, name: str) -> Parts:
    """Return the cache key parts of the role session name.

    The host name in the default name is not one of them: a laptop's changes with every network.
    """
    if name:
        return {"name": name}
    run.witnesses.machine()
    return {"user": sts.user(), "machine": system.machine_id()}


def endpoints(environ: Mapping[str, str], shared: SharedConfig, *services: str) -> Parts:
    """Return the settings that choose the services' endpoints, as far as they are not the defaults,
    which some tools and images set, too."""
    scoped = shared.get_scoped_config()
    found = {key: environ.get(name) or scoped.get(key) for name, key in ENDPOINT_KEYS.items()}
    for service in services:
        found[f"endpoint_url_{service.lower()}"] = environ.get(f"AWS_ENDPOINT_URL_{service}")
    if scoped.get("services"):
        services = shared.full_config.get("services", {}).get(scoped["services"])
        found["services"] = mark(repr(services).encode())  # a URL may contain a password
    return {
        key: masked(value) if isinstance(value, str) else value
        for key, value in found.items()
        if value and str(value).lower() not in DEFAULTS
    }


def _sso(run: Run, shared: SharedConfig, values: dict[str, Any]) -> Parts:
    name = str(values.get("sso_session") or "")
    settings = (
        {**values, **shared.full_config.get("sso_sessions", {}).get(name, {})} if name else values
    )
    found: Parts = {key: str(settings[key]) for key in SSO if settings.get(key)}
    start = name or str(settings.get("sso_start_url", ""))
    stem = hashlib.sha1(start.encode(), usedforsecurity=False).hexdigest()
    signed_in = sign_in(run, f"{path(run.environ, '', '~/.aws/sso/cache')}/{stem}.json")
    return {
        **found,
        "sign_in": person(signed_in),
        **endpoints(run.environ, shared, "SSO", "SSO_OIDC"),
    }


def _login(run: Run, shared: SharedConfig, name: str) -> Parts:
    stem = hashlib.sha256(name.encode()).hexdigest()
    signed_in = sign_in(run, f"{path(run.environ, LOGIN_CACHE)}/{stem}.json")
    return {
        "login_session": name,
        "sign_in": person(signed_in),
        **endpoints(run.environ, shared, "SIGNIN"),
    }


def person(signed_in: Mapping[str, Any]) -> str:
    """Return a mark of the signed-in user, which changes as seldom as the sign-in allows.

    `aws login` has a key that stays. A renewal of SSO's access token keeps the refresh token, or
    else replaces both; then the mark is another one.
    """
    names = ("dpopKey", "refreshToken", "accessToken")
    return mark(str(next(filter(None, map(signed_in.get, names)), "")).encode())


def sign_in(run: Run, file: str) -> dict[str, Any]:
    """Return the sign-in in a file, {} if it cannot be read."""
    try:
        found = json.loads(content(run, file))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _helper(run: Run, shared: SharedConfig, command: str) -> Parts:
    """Return the cache key parts of a helper's credentials, which may depend on anything we know.

    They are its command and what that names, the working directory, variables, instance, and both
    config files.
    """
    run.witnesses.directory()
    run.witnesses.instance()
    word = next(iter(_split(command)), "")
    if "/" not in word:
        run.witnesses.variable("PATH")
    environ = run.environ
    variables = {
        name: masked(environ[name])
        for name in VARIABLES
        if environ.get(name) and name not in RESOLVED
    }
    secrets = {name: mark(os.fsencode(environ[name])) for name in SECRET if environ.get(name)}
    contents = {
        name: mark(os.fsencode(content(run, path(environ, name)))) for name in (CONFIG, CREDENTIALS)
    }
    return {
        "helper": os.path.basename(word),
        # As a hash, because the command may contain a password.
        "command": hashlib.sha256(command.encode("utf-8", "surrogateescape")).hexdigest(),
        "named": _named(run, command),
        "directory": system.working_directory(),
        "path": "" if "/" in word else environ.get("PATH", ""),
        "instance": system.instance(),
        "region": sts.named_region(environ, shared)[0],  # unchecked: only the helper uses it
        **variables,
        **secrets,
        **{name: mark(os.fsencode(text)) for name, text in contents.items()},
    }


def _named(run: Run, command: str) -> dict[str, str]:
    """Return marks of the files and variables that a helper's command names.

    A file that does not exist yet is a witness, because the helper may look for it.
    """
    found = {}
    for name in sorted(set(_VARIABLE.findall(command))):
        run.witnesses.variable(name)
        found[f"${name}"] = mark(os.fsencode(run.environ.get(name, "")))
    for file in files(command):
        if os.path.exists(file):
            found[file] = mark(os.fsencode(content(run, file)))
        else:
            run.witnesses.file(file)
    return found


def files(command: str) -> list[str]:
    """Return the files that a helper's command names, and the absolute paths where none exists.

    They may be in a shell's script or behind ``--option=``. What a shell writes to is not one of
    them, nor is a file that is longer than LONGEST: it is a program, and updating it does not
    change the identity.
    """
    import shutil  # 5 ms, for helpers only

    arguments = _split(command)
    words = [*_SEPARATORS.split(command), *arguments]
    for argument in arguments:
        words += _split(argument)
    words += [word.partition("=")[2] for word in words]
    words += [shutil.which(program) or "" for program in arguments[:1]]
    written = {*_WRITTEN.findall(command)}
    found = []
    for word in sorted({*words} - written):
        file = os.path.expanduser(os.path.expandvars(word))
        try:
            is_file = os.path.isfile(file) and os.path.getsize(file) <= LONGEST
            is_absent = os.path.isabs(file) and not os.path.lexists(file)
        except (OSError, ValueError):
            continue
        if is_file or (is_absent and not file.startswith("//")):  # "//" comes from a URL
            found.append(file)
    return found


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return []


def _is_in_credentials_file(run: Run, shared: SharedConfig, name: str) -> bool:
    """Whether the credentials file has keys for the profile; keys in the config file come last."""
    sections = shared.credentials
    if sections is None:  # botocore has read the files and merged them
        from botocore import configloader, exceptions

        try:
            sections = configloader.raw_config_parse(path(run.environ, CREDENTIALS))
        except (exceptions.ConfigNotFound, exceptions.ConfigParseError):
            return False
    return "aws_access_key_id" in sections.get(name, {})


def content(run: Run, file: str, again: bool = False) -> str:
    """Return the text of a small file; "" if it cannot be read, which a later read will report."""
    try:
        return run.contents(file, again).decode("utf-8", "surrogateescape") if file else ""
    except (OSError, ValueError):
        return ""
