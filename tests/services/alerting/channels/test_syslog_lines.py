"""Syslog against real sockets: UDP, TCP and TLS."""

import re
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from models.domain.errors import RetryableError
from services.alerting.channels.syslog_lines import Syslog, Transport
from tests.services.alerting.channels.sending import free_port, message

LINE = re.compile(
    rb"<130>1 \d{4}-\d\d-\d\dT[\d:.]+Z \S+ waferwatch \d+ alert\.opened "
    rb"\[waferwatch@32473 (?P<data>.*)\] \xef\xbb\xbf(?P<text>.+)",
    re.DOTALL,
)


def check(line: bytes) -> None:
    """RFC 5424, part by part: 16 * 8 + 2 = 130."""
    found = LINE.fullmatch(line)
    assert found is not None, line
    assert b'tool="T\\"9\\]"' in found["data"]
    assert b'alert="7"' in found["data"]
    assert found["text"].decode().startswith("Ring · P1")
    assert b"\n" not in line


def test_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        Syslog("log", "127.0.0.1", receiver.getsockname()[1]).send(message())
        check(receiver.recv(65536))


def certificate(folder: Path) -> tuple[Path, Path]:
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-keyout", key, "-out", cert, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, cert


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_streams_are_framed(transport: Transport, tmp_path: Path) -> None:
    got: list[bytes] = []
    key, cert = certificate(tmp_path) if transport == "tls" else (None, None)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def receive() -> None:
            connection, _ = server.accept()
            if cert is not None:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(cert, key)
                connection = context.wrap_socket(connection, server_side=True)
            with connection:
                while data := connection.recv(65536):
                    got.append(data)

        thread = threading.Thread(target=receive)
        thread.start()
        host = "localhost" if cert else "127.0.0.1"
        channel = Syslog(
            "log", host, server.getsockname()[1], transport=transport, ca_file=str(cert) if cert else None, timeout_s=5
        )
        channel.send(message())
        thread.join(10)
    length, _, line = b"".join(got).partition(b" ")
    assert int(length) == len(line)
    check(line)


def test_a_stranger_with_another_certificate_gets_nothing(tmp_path: Path) -> None:
    key, cert = certificate(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def receive() -> None:
            connection, _ = server.accept()
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
            with connection, pytest.raises(OSError):
                context.wrap_socket(connection, server_side=True)

        thread = threading.Thread(target=receive)
        thread.start()
        with pytest.raises(RetryableError, match="SSLCertVerificationError"):
            Syslog("log", "localhost", server.getsockname()[1], transport="tls", timeout_s=5).send(message())
        thread.join(10)


def test_nobody_there() -> None:
    with pytest.raises(RetryableError):
        Syslog("log", "127.0.0.1", free_port(), transport="tcp", timeout_s=2).send(message())


def test_a_line_is_never_too_long() -> None:
    line = Syslog("log", "h", 1).line(message(title="x" * 10_000, tool="y" * 10_000))
    assert len(line) <= 2048
