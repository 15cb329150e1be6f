"""The proxies of deploy/ as they stand there, but for names, ports and the certificate: nginx,
HAProxy and Caddy in front of one service, whose address is the file's first server. Nobody answers
at that of the second."""

from __future__ import annotations

import datetime
import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from aiohttp import ClientSession, TCPConnector
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from scoreboard.local.child_processes import Child
from scoreboard.local.embedded_servers import free_port
from tests.support.programs import answers_at, program
from tests.support.waiting import PATIENCE

DEPLOY = Path(__file__).parents[3] / "deploy"
SERVICE, OTHER_SERVICE = "127.0.0.1:8080", "127.0.0.1:8081"


@dataclass(frozen=True)
class Front:
    """A proxy that answers at ``url``."""

    url: str
    certificate: Path
    process: Child

    def session(self, address: str = "127.0.0.1") -> ClientSession:
        """A client with this address, that trusts the proxy's certificate."""
        tls = ssl.create_default_context(cafile=str(self.certificate))
        return ClientSession(self.url, connector=TCPConnector(ssl=tls, local_addr=(address, 0)))


Start = Callable[..., Front]


@contextmanager
def proxy(
    kind: str, service: str, folder: Path, changed: Mapping[str, str] | None = None
) -> Iterator[Front]:
    """The proxy ``kind`` in front of the ``service`` at this URL, with some words of its file
    ``changed``."""
    port, certificate = free_port(), _certificate(folder)
    changes = dict(changed or {})
    changes[SERVICE] = service.removeprefix("http://")
    changes[OTHER_SERVICE] = f"127.0.0.1:{free_port()}"
    command = _KINDS[kind](folder, port, certificate, changes)
    process = Child(kind, command, log=folder / f"{kind}.log", folder=folder)
    process.start()
    try:
        process.wait_until(answers_at(port), timeout=PATIENCE)
        if kind == "caddy":  # which does not send a POST to a second server
            process.wait_until(lambda: process.said("health_checker.active"), timeout=PATIENCE)
        yield Front(f"https://127.0.0.1:{port}", certificate, process)
    finally:
        process.stop()


def _nginx(folder: Path, port: int, certificate: Path, changes: dict[str, str]) -> list[str]:
    path = program("nginx", package="nginx")
    changes |= {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "listen [::]:443 ssl;": "",
        "/etc/ssl/scoreboard/fullchain.pem": str(certificate),
        "/etc/ssl/scoreboard/privkey.pem": str(certificate),
    }
    (folder / "scoreboard.conf").write_text(_changed("nginx.conf", changes))
    kept = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    main = [
        *(["user root;"] if os.geteuid() == 0 else []),
        "daemon off; pid nginx.pid; worker_processes 1; events {}",
        "http { access_log off;",
        *(f"{name}_temp_path {name};" for name in kept),
        "include scoreboard.conf; }",
    ]
    (folder / "nginx.conf").write_text("\n".join(main))
    return [path, "-e", "stderr", "-p", str(folder), "-c", "nginx.conf"]


def _haproxy(folder: Path, port: int, certificate: Path, changes: dict[str, str]) -> list[str]:
    path = program("haproxy", package="haproxy")
    changes |= {
        "bind :443": f"bind 127.0.0.1:{port}",
        "/etc/ssl/scoreboard/scores.example.com.pem": str(certificate),
        # A test does not wait for as long, nor have as many descriptors.
        "inter 2s": "inter 100ms",
        "maxconn 50000": "maxconn 100",
    }
    if os.geteuid() != 0:
        changes |= {"  user haproxy\n": "", "  group haproxy\n": ""}
    (folder / "haproxy.cfg").write_text(_changed("haproxy.cfg", changes))
    return [path, "-db", "-f", "haproxy.cfg"]


def _caddy(folder: Path, port: int, certificate: Path, changes: dict[str, str]) -> list[str]:
    path = program("caddy", package="caddy")
    changes["scores.example.com {"] = (
        "{\n admin off\n auto_https disable_redirects\n}\n"
        f"https://127.0.0.1:{port} {{\n bind 127.0.0.1\n tls {certificate} {certificate}"
    )
    (folder / "Caddyfile").write_text(_changed("Caddyfile", changes))
    home = [f"XDG_DATA_HOME={folder}", f"XDG_CONFIG_HOME={folder}"]
    return ["env", *home, path, "run", "--config", "Caddyfile", "--adapter", "caddyfile"]


_KINDS = {"nginx": _nginx, "haproxy": _haproxy, "caddy": _caddy}


def _changed(name: str, changes: dict[str, str]) -> str:
    text = (DEPLOY / name).read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text, f"deploy/{name} has {old!r}"
        text = text.replace(old, new)
    return text


def _certificate(folder: Path) -> Path:
    """A key and its own certificate for 127.0.0.1, in one file."""
    path = folder / "tls.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
