"""The texts of --help."""

from __future__ import annotations

DESCRIPTION = """\
Print temporary AWS credentials for credential_process, from a cache that all
processes share.

The command line is a list of providers, tried in order: credproc goes on to
the next one only if a provider does not apply here. The default is --imds.
"""

EPILOG = """\
examples, for ~/.aws/config (with the absolute path: `command -v credproc`):
  The EC2 instance's role:
    [profile app]
    credential_process = /usr/local/bin/credproc

  The EC2 instance's role or, on other machines, two roles, of which the keys
  in the profile laptop assume the first (all on one line):
    credential_process = /usr/local/bin/credproc --imds
        --role-arn arn:aws:iam::111122223333:role/jump
        --role-arn arn:aws:iam::444455556666:role/app --external-id 42
        --source profile:laptop

  The credentials of another profile (a role, SSO, MFA), cached:
    credential_process = /usr/local/bin/credproc --profile app-dev

by hand and in scripts:
  credproc --field AccessKeyId
  settings="$(credproc --format env)" && eval "$settings"
  credproc --profile app-dev --refresh --verbose

exit status:
  0 success, 1 no credentials, 2 usage or configuration error (1 and 2 print
  the reason in one line on stderr), 129 hangup, 130 interrupted,
  143 terminated

environment:
  CREDPROC_CACHE_DIR  cache directory (an absolute path)
  CREDPROC_LOG        log file (an absolute path)
  and the variables of the SDKs: AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE,
  AWS_REGION, AWS_EC2_METADATA_DISABLED, AWS_EC2_METADATA_SERVICE_ENDPOINT,
  AWS_ENDPOINT_URL_STS, AWS_CA_BUNDLE, HTTPS_PROXY, ...
"""
