"""Credentials that a chain can start from: a profile's own, and a web identity's.

botocore resolves SSO, `aws login` and everything unusual.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc import credentials, knownsecrets, limits, slips
from credproc.credentials import Credentials
from credproc.errors import CredprocError, ProviderFailed, RequestError, SourceRejected
from credproc.providers import incomplete, keyparts, process, sts, stsendpoint, tokenfile
from credproc.regions import home_region
from credproc.variables import CONFIG, CREDENTIALS, WEB_IDENTITY, path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from credproc.providers.sharedconfig import SharedConfig
    from credproc.run import Run

#: botocore's providers that read only the profile, before and after its credential_process.
BEFORE, AFTER = ("sso", "shared-credentials-file", "login"), ("config-file",)

#: Prefixes of the keys that take precedence over an access key, or that botocore always checks.
FIRST = ("credential_process", "login_", "metadata_service_", "sso_", "web_identity_")


def profile(run: Run, name: str) -> Credentials:
    """Return the profile's own credentials: keys, SSO, login, web identity, credential_process."""
    try:
        found = _found(run, name)
    except RequestError as error:
        raise RequestError(f"profile {name}: {error}") from error
    except CredprocError:
        # A service's error message may quote them.
        run.secrets += knownsecrets.of_files(run.environ)
        raise
    run.log(f"profile {name}: {found}")
    return found


def _found(run: Run, name: str) -> Credentials:
    shared = sts.load_config(run, name)
    values = shared.full_config["profiles"][name]
    if values.get("web_identity_token_file"):
        return _profile_web_identity(run, shared, values)
    found = _keys(shared, name)
    if found is not None:
        return found
    found = _elsewhere(run, shared, name, values)
    # botocore and helpers read the files for themselves: now they may be others than in the key.
    for variable in (CONFIG, CREDENTIALS):
        run.witnesses.compare(path(run.environ, variable))
    if values.get("credential_process"):
        for file in keyparts.files(str(values["credential_process"])):
            keyparts.content(run, file, again=True)
    return found


def _elsewhere(run: Run, shared: SharedConfig, name: str, values: dict[str, Any]) -> Credentials:
    """Return the credentials that botocore finds in the profile, or that its helper prints."""
    from credproc.providers.resolved import resolved  # botocore, 150 ms

    found = resolved(run, shared, name, BEFORE)
    if found is None and values.get("credential_process"):
        found = process.retrieve(run, name, str(values["credential_process"]))
        account = str(values.get("aws_account_id", ""))
        if not found.account_id and credentials.is_account(account):
            found.account_id = account  # as botocore does
    found = found or resolved(run, shared, name, AFTER)
    if found is None:
        raise RequestError(incomplete.why(values))
    return found


def _keys(shared: SharedConfig, name: str) -> Credentials | None:
    """Return the keys of a profile that has plain keys in one of the files, as botocore does.

    None for any other profile, and for invalid keys: botocore resolves those.
    """
    if shared.config is None or shared.credentials is None:
        return None
    values = shared.full_config["profiles"][name]
    if any(key.startswith(FIRST) for key in values):
        return None
    files = {"shared-credentials-file": shared.credentials, "config-file": shared.config}
    for provider, sections in files.items():
        keys = sections.get(name, {})
        if slips.ACCESS not in keys:
            continue
        token = next((keys[key] for key in reversed(slips.TOKENS) if key in keys), "")
        access, secret = keys[slips.ACCESS], keys.get(slips.SECRET)
        account = keys.get("aws_account_id", "")
        wrong = slips.keys(dict(zip(slips.KEYS, (access, secret, token), strict=True)))
        if wrong or not (access and secret) or not isinstance(account, str):
            return None
        return Credentials(access, secret, token, 0, account, provider)
    return None


def web_identity(run: Run) -> Credentials | None:
    """Return the credentials for the token in AWS_WEB_IDENTITY_TOKEN_FILE, None if not set."""
    file, arn, name = web_identity_variables(run.environ)
    if not file:
        return None
    names = ("AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME")
    return _with_web_identity(run, sts.load_config(run), file, arn, name, names)


def web_identity_variables(environ: Mapping[str, str]) -> tuple[str, str, str]:
    """Return the token's path, the role's ARN and the session name, each "" if it is not set."""
    names = (WEB_IDENTITY, "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME")
    file, arn, name = (environ.get(each, "") for each in names)
    return file, arn, name


def _profile_web_identity(run: Run, shared: SharedConfig, values: dict[str, Any]) -> Credentials:
    names = ("role_arn", "role_session_name")
    arn, name = (str(values.get(each, "")) for each in names)
    return _with_web_identity(run, shared, str(values["web_identity_token_file"]), arn, name, names)


def _with_web_identity(
    run: Run,
    shared: SharedConfig,
    file: str,
    arn: str,
    name: str,
    names: tuple[str, str],
) -> Credentials:
    """Exchange a token for a role's credentials; if STS rejects it, read the file again, once.

    ``names`` are the names of the settings of the role's ARN and the session name.
    """
    name = name or sts.default_name()
    problems = (stsendpoint.role_arn(shared)(arn), limits.role_session_name(name))
    for what, problem in zip(names, problems, strict=True):
        if problem:
            raise RequestError(f"{what} {problem}")
    region = sts.configured_region(run.environ, shared) or home_region(arn)
    service = sts.Sts(shared)

    def exchanged(again: bool = False) -> Credentials:
        token = tokenfile.contents(run, file, "the web identity's token file", again)
        run.secrets.append(token)
        parameters = {"RoleArn": arn, "RoleSessionName": name, "WebIdentityToken": token}
        return service.assume_with_web_identity(run, region, parameters)

    try:
        try:
            return exchanged()
        except SourceRejected as error:
            run.log(f"web identity: {error}; reading {file} again")
            return exchanged(again=True)
    except ProviderFailed as error:
        where = "" if file in str(error) else f" (with the token in {file})"
        raise type(error)(f"{arn}{where}: {error}") from error
