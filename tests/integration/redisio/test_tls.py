"""Redis by TLS: whose certificates are taken, and which are shown."""

from __future__ import annotations

import datetime
import ipaddress
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis.exceptions import RedisError

from scoreboard.local.embedded_servers import Valkey, free_port
from scoreboard.redisio.topologies import topology_of
from scoreboard.settings import Settings
from tests.support.frozen import frozen
from tests.support.programs import lacking
from tests.support.waiting import PATIENCE


class Files(NamedTuple):
    cert: str
    key: str


def certified(folder: Path, name: str, by: Files | None = None) -> Files:
    """A certificate for 127.0.0.1, and its key; ``by`` none: for itself, to certify others."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = key
    if by is not None:
        issuer = x509.load_pem_x509_certificate(Path(by.cert).read_bytes()).subject
        signing = serialization.load_pem_private_key(Path(by.key).read_bytes(), None)
        assert isinstance(signing, ec.EllipticCurvePrivateKey)
        signer = signing
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(signer, hashes.SHA256())
    )
    files = Files(str(folder / f"{name}.crt"), str(folder / f"{name}.key"))
    Path(files.cert).write_bytes(made.public_bytes(serialization.Encoding.PEM))
    Path(files.key).write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


class Guarded(NamedTuple):
    """A server that asks for certificates, and files that it takes."""

    server: Valkey
    url: str
    ca: Files
    ours: Files


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    binary = shutil.which("redis-server")
    if binary is None:  # the embedded Valkey knows no TLS
        lacking("redis-server is not installed (Debian's package redis-server)")
    ca = certified(tmp_path, "ca")
    own, ours = (certified(tmp_path, name, by=ca) for name in ("server", "ours"))
    port = free_port()
    server = Valkey(
        tmp_path / "redis",
        binary=Path(binary),
        options={
            "tls-port": str(port),
            "tls-cert-file": own.cert,
            "tls-key-file": own.key,
            "tls-ca-cert-file": ca.cert,
        },
    )
    server.start()
    url = re.sub(r"^redis://(.*):\d+/", rf"rediss://\1:{port}/", server.url)
    yield Guarded(server, url, ca, ours)
    server.stop()


def settings_for(guarded: Guarded) -> Settings:
    return Settings(
        redis_url=guarded.url,
        redis_tls_ca=guarded.ca.cert,
        redis_tls_cert=guarded.ours.cert,
        redis_tls_key=guarded.ours.key,
    )


async def answers(guarded: Guarded, **changes: str | bool) -> bool:
    """Whether the server answers us with these settings changed."""
    topology = topology_of(msgspec.structs.replace(settings_for(guarded), **changes))
    async with topology.client(timeout=10.0) as client:
        try:
            return bool(await client.ping())
        except RedisError:
            return False


async def test_a_server_is_talked_to_when_both_sides_are_certified(guarded: Guarded) -> None:
    assert await answers(guarded)


async def test_a_server_that_nobody_we_trust_has_certified_is_not(
    guarded: Guarded, tmp_path: Path
) -> None:
    assert not await answers(guarded, redis_tls_ca=certified(tmp_path, "other").cert)


async def test_without_a_certificate_of_ours_the_server_refuses_us(guarded: Guarded) -> None:
    assert not await answers(guarded, redis_tls_cert="", redis_tls_key="")


async def test_the_certificate_has_to_be_for_the_host_unless_that_is_not_checked(
    guarded: Guarded,
) -> None:
    by_name = guarded.url.replace("@127.0.0.1:", "@localhost:")
    assert not await answers(guarded, redis_url=by_name)
    assert await answers(guarded, redis_url=by_name, redis_tls_check_hostname=False)


async def test_a_connection_is_closed_in_time_when_the_server_does_not_say_goodbye(
    guarded: Guarded,
) -> None:
    client = topology_of(settings_for(guarded)).client(timeout=PATIENCE)
    await client.ping()
    (connection,) = client.connection_pool._available_connections
    connection.socket_connect_timeout = 0.1
    with frozen(guarded.server):
        await client.aclose()
    assert not connection.is_connected
