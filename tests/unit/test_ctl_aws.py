"""Answers of AWS that lack something are named as such."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from credproc.ctl.aws import Aws, Refused, call
from tests.servers import faults

if TYPE_CHECKING:
    from tests.servers.base import Fault
    from tests.servers.sts import StsServer


def test_what_an_answer_lacks_is_a_fault_of_the_answer() -> None:
    answer = call(lambda: {"Role": {"RoleName": "app"}, "Roles": [{"Arn": "x"}]})
    assert answer == {"Role": {"RoleName": "app"}, "Roles": [{"Arn": "x"}]}
    for found, lacks in ((answer, "Rule"), (answer["Role"], "Arn"), (answer["Roles"][0], "Id")):
        with pytest.raises(Refused, match=rf"^the response has no {lacks} \(is the endpoint"):
            found[lacks]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (faults.without("Arn"), "the response has no Arn"),
        (faults.fields(Arn="missing"), "GetCallerIdentity returned missing, which is not"),
    ],
)
def test_caller_without_an_arn_is_a_line_about_the_answer(
    fault: Fault, words: str, sts: StsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL_STS": sts.url,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "k" * 40,
    }.items():
        monkeypatch.setenv(name, value)
    sts.fail(fault)
    with pytest.raises(Refused, match=words):
        _ = Aws(None, "eu-central-1", {}, []).partition
