"""STS without botocore, in the ordinary case: signed, sent and parsed by the standard library.

Loading botocore and making its client takes longer than ten calls. This module never disagrees
with botocore: it leaves unusual settings, endpoints and regions to botocore's client.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import socket
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from xml.parsers import expat

from credproc import __version__, processes
from credproc.providers import faults, http
from credproc.providers.reply import Failed, Reply

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from typing import Any

    from credproc.credentials import Credentials
    from credproc.deadline import Deadline
    from credproc.providers.reply import Call, Fault
    from credproc.providers.stsendpoint import Endpoint

#: Seconds to connect, and to wait for each piece of the response.
CONNECT, READ = 3, 5
#: Seconds for one try.
TRY = CONNECT + READ
#: Bytes of a response's body, and of a whole response. Those of STS have a few kilobytes.
MAX_BODY = 256 * 1024
MAX_ANSWER = 2 * MAX_BODY

VERSION = "2011-06-15"
#: Where an error is in the answer: STS's form, EC2's, and S3's, which Ceph gives.
ERRORS = ("Error/", "Errors/Error/", "")


class Query:
    """Calls to STS in one run; the next hop to the same endpoint reuses the connection."""

    def __init__(self) -> None:
        self._idle: tuple[Endpoint, socket.socket] | None = None
        self._context: ssl.SSLContext | None = None

    def __del__(self) -> None:
        if self._idle is not None:
            self._idle[1].close()

    def call(
        self,
        where: Endpoint,
        call: Call,
        action: str,
        parameters: Mapping[str, Any],
        deadline: Deadline,
    ) -> tuple[Reply, dict[str, Any]]:
        """Call STS; return its reply, and the credentials as botocore does. Failed if refused."""
        end = deadline.within(TRY)
        body = urlencode(flat({"Action": action, "Version": VERSION, **parameters})).encode()
        headers = {
            "accept-encoding": "identity",
            "content-length": str(len(body)),
            "user-agent": f"credproc/{__version__}",
            **signed(where, body, call.caller, time.time()),
        }
        response = self._exchange(where, call, http.request("POST", "/", headers, body), end)
        found = fields(response.body)
        lead = next((each for each in ERRORS if f"{each}Code" in found), "")
        reply = Reply(response.status, response.headers, found.get(f"{lead}Code", ""))
        reply.message = found.get(f"{lead}Message", "") if reply.code else _phrase(response.status)
        if response.status >= 300:
            raise Failed(faults.explain(reply, call))
        return reply, _result(found, f"{action}Result/")

    def _exchange(self, where: Endpoint, call: Call, sent: bytes, end: Deadline) -> http.Response:
        sock = self._reusable(where) or self._connected(where, call, end)
        stream = http.Stream(sock, lambda: end.timeout(READ), MAX_ANSWER)
        try:
            response = stream.exchange(sent, MAX_BODY)
        except (TimeoutError, http.HttpError) as error:
            raise Failed(_unanswered(error, where, call, end)) from None
        finally:
            if stream.is_reusable:
                self._idle = where, sock
            else:
                sock.close()
        return response

    def _reusable(self, where: Endpoint) -> socket.socket | None:
        """Return the open connection, unless it is to another endpoint or the server closed it."""
        if self._idle is None:
            return None
        (endpoint, sock), self._idle = self._idle, None
        if endpoint is where and not processes.is_readable(sock.fileno(), 0):
            return sock
        sock.close()
        return None

    def _connected(self, where: Endpoint, call: Call, end: Deadline) -> socket.socket:
        sock = None
        try:
            # As bytes, so that Python does not load its tables of international names.
            host: Any = where.host.encode()
            sock = socket.create_connection((host, where.port), end.timeout(CONNECT))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._secured(sock, where) if where.secure else sock
        except OSError as error:
            if sock:
                sock.close()
            raise Failed(_unconnected(error, where, call)) from None

    def _secured(self, sock: socket.socket, where: Endpoint) -> socket.socket:
        self._context = self._context or context()
        return self._context.wrap_socket(sock, server_hostname=where.host)


def _unanswered(error: Exception, where: Endpoint, call: Call, end: Deadline) -> Fault:
    """Return the fault of a connection without a response, worded as in botocore."""
    text = str(error)
    if isinstance(error, TimeoutError):
        if end.left() <= 0:
            return faults.timed_out(call, end.seconds)
        text = f'Read timeout on endpoint URL: "{where.url}"'
    elif error.__cause__ is not None or text == http.CLOSED:
        closed = "Connection was closed before we received a valid response from endpoint URL"
        text = f'{closed}: "{where.url}" ({text})'
    return faults.unreachable(call, text)


def _unconnected(error: OSError, where: Endpoint, call: Call) -> Fault:
    """Return the fault of a failed connection, worded as in botocore."""
    if isinstance(error, TimeoutError):
        return faults.unreachable(call, f'Connect timeout on endpoint URL: "{where.url}"')
    if type(error).__module__ == "ssl":
        return faults.untrusted(call, f"SSL validation failed for {where.url} {error}")
    reason = (error.strerror or str(error)).lower()
    text = f'Could not connect to the endpoint URL: "{where.url}" ({reason})'
    return faults.unreachable(call, text)


def _phrase(status: int) -> str:
    """Return the message for a server error without one."""
    if status < 500:
        return ""
    from http import HTTPStatus

    return f"{status}: {HTTPStatus(status).phrase}" if status in list(HTTPStatus) else str(status)


def context() -> ssl.SSLContext:
    """Return the TLS settings of botocore's client, with the CA certificates that it trusts."""
    import ssl

    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET
    made.set_alpn_protocols(["http/1.1"])
    made.load_verify_locations(authorities())
    return made


def authorities() -> str:
    """Return the file of CA certificates that botocore trusts: certifi's, or else its own."""
    for package in ("certifi", "botocore"):
        for folder in sys.path:
            path = os.path.join(folder, package, "cacert.pem")
            if os.path.isfile(path):
                return path
    raise FileNotFoundError("neither certifi nor botocore has a cacert.pem")


def flat(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return parameters with the names of the query protocol: lists as NAME.member.1 and so on."""
    found = {}
    for name, value in parameters.items():
        if not isinstance(value, list):
            found[name] = str(value)
            continue
        for number, item in enumerate(value, 1):
            member = f"{name}.member.{number}"
            pairs = item.items() if isinstance(item, dict) else [("", item)]
            found |= {f"{member}.{key}" if key else member: str(part) for key, part in pairs}
    return found


def signed(where: Endpoint, body: bytes, caller: Credentials | None, now: float) -> dict[str, str]:
    """Return the signed headers of a POST to / and their signature (SigV4).

    Without a caller the request is not signed.
    """
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    headers["host"] = where.header
    if caller is None:
        return headers
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    headers["x-amz-date"] = stamp
    if caller.token:
        headers["x-amz-security-token"] = caller.token
    names = ";".join(sorted(headers))
    lines = [f"{name}:{headers[name]}" for name in sorted(headers)]
    canonical = "\n".join(["POST", "/", "", *lines, "", names, _digest(body)])
    scope = f"{stamp[:8]}/{where.region}/sts/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, _digest(canonical.encode())])
    key = f"AWS4{caller.secret_key}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={caller.access_key}/{scope}, SignedHeaders={names}, "
        f"Signature={key.hex()}"
    )
    return headers


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def fields(body: bytes) -> dict[str, str]:
    """Return the texts of an XML document by their path below the root; {} if it is not XML.

    A document type, and with it every entity, is refused: STS sends none.
    """
    found: dict[str, str] = {}
    path: list[str] = []

    def start(name: str, _: object) -> None:
        path.append(name.rpartition("}")[2])
        found.setdefault("/".join(path[1:]), "")

    def text(data: str) -> None:
        found["/".join(path[1:])] += data

    def refuse(*_: object) -> None:
        raise ValueError("a document type")

    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: path.pop()
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError):
        return {}
    return found


def _result(found: Mapping[str, str], lead: str) -> dict[str, Any]:
    """Return the needed parts of a call's result, in botocore's form."""
    lead += "Credentials/"
    keys = {path[len(lead) :]: text for path, text in found.items() if path.startswith(lead)}
    arn = found.get(lead.replace("Credentials/", "AssumedRoleUser/Arn"), "")
    return {"Credentials": keys or None, "AssumedRoleUser": {"Arn": arn}}
