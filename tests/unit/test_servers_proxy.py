"""The proxy makes tunnels for clients with the right password."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.servers import tls
from tests.servers.proxy import Proxy
from tests.servers.sts import StsServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[StsServer, ssl.SSLContext]]:
    made = tls.make(tmp_path)
    with StsServer(tls=made.server) as server:
        yield server, ssl.create_default_context(cafile=made.ca)


def status(url: str, proxy: str, context: ssl.SSLContext) -> int:
    """Return the status of a response of server or proxy; OSError if no tunnel was made."""
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"https": proxy, "http": proxy}),
        urllib.request.HTTPSHandler(context=context),
    )
    try:
        with opener.open(f"{url}/?Action=GetCallerIdentity", timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_tunnel_leads_to_the_target(secured: tuple[StsServer, ssl.SSLContext]) -> None:
    server, context = secured
    with Proxy() as proxy:
        assert status(server.url, proxy.url, context) == 403  # it is not signed
        assert proxy.targets == [f"127.0.0.1:{server.port}"]
        assert server.count("GetCallerIdentity") == 1


def test_proxy_with_a_user_wants_the_password(
    secured: tuple[StsServer, ssl.SSLContext],
) -> None:
    server, context = secured
    with Proxy(user="joe:secret") as proxy:
        with pytest.raises(OSError, match="407"):
            status(server.url, proxy.url, context)
        assert server.count() == 0
        assert status(server.url, proxy.url.replace("//", "//joe:secret@"), context) == 403
        assert server.count() == 1


def test_nothing_else_is_done(secured: tuple[StsServer, ssl.SSLContext]) -> None:
    with Proxy() as proxy:
        assert status("http://sts.example", proxy.url, secured[1]) == 501


def test_missing_target_is_reported(secured: tuple[StsServer, ssl.SSLContext]) -> None:
    with Proxy() as proxy, pytest.raises(OSError, match="502"):
        status("https://127.0.0.1:1", proxy.url, secured[1])
