"""Webhooks go to the Internet, and into no network around the service that is not named."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from scoreboard.domain.webhook_targets import WebhookTargets

INTERNET = ("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34",
            "64:ff9b::5db8:d822", "2002:5db8:d822::1")  # fmt: skip
ELSEWHERE = (
    "127.0.0.1", "127.8.8.8", "::1",  # loopback
    "0.0.0.0", "0.1.2.3", "::",  # unspecified
    "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12::1",  # private
    "169.254.169.254", "fe80::1", "fec0::1",  # link-local, site-local
    "100.64.0.1", "100.127.255.255",  # shared by customers of a provider
    "224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1",  # multicast
    "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "2001:db8::1",  # of no use
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",  # IPv4 within IPv6
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::1",
    "2002:a00:1::", "::7f00:1", "2001:0:7f00:1::", "4000::1",
)  # fmt: skip


@pytest.mark.parametrize("address", INTERNET)
def test_what_is_on_the_internet_is_reached_by_https_alone(address: str) -> None:
    targets = WebhookTargets("")
    assert targets.allows(ip_address(address), encrypted=True)
    assert not targets.allows(ip_address(address), encrypted=False)


@pytest.mark.parametrize("address", ELSEWHERE)
def test_what_is_not_on_the_internet_is_not_reached(address: str) -> None:
    for allowed in ("", "192.168.77.0/24, fd77::/64"):
        for encrypted in (True, False):
            assert not WebhookTargets(allowed).allows(ip_address(address), encrypted=encrypted)


def test_a_network_that_is_named_is_reached_in_every_form_of_its_addresses() -> None:
    targets = WebhookTargets("10.1.0.0/16, fd77::/64")
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203", "fd77::5"):
        assert targets.allows(ip_address(address), encrypted=False)
    for address in ("10.2.0.1", "127.0.0.1", "fd78::5"):
        assert not targets.allows(ip_address(address), encrypted=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/a?b=c",
        "https://hooks.example.com:8443",
        "https://93.184.216.34/",
        "https://[2606:2800:220:1:248:1893:25c8:1946]/",
    ],
)
def test_a_url_on_the_internet_is_taken(url: str) -> None:
    WebhookTargets("").check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com",
        "http://hooks.example.com",
        "ftp://hooks.example.com",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user@hooks.example.com",
        "https://user:secret@hooks.example.com",
        "https://@hooks.example.com",
        "https://hooks.example.com/#part",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:70000/",
        "https://hooks.example.com:x/",
        "https://hooks.example.com/\nHost: other",
        "https://hooks.example.com/a b",
        "https://h\u00f6oks.example.com/",
        "https://[::1",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[fe80::1%25eth0]/",
        "https://169.254.169.254/latest",
        "https://[::ffff:10.0.0.1]/",
        "https://hooks.example.com/" + "a" * 2_000,
    ],
)
def test_any_other_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"\.$|Port|IPv6"):
        WebhookTargets("").check_url(url)


def test_http_is_taken_when_some_network_is_named() -> None:
    targets = WebhookTargets("10.0.0.0/8")
    targets.check_url("http://hooks.internal/")
    targets.check_url("http://10.1.2.3:8080/")
    with pytest.raises(ValueError, match="not on the Internet"):
        targets.check_url("http://192.168.0.1/")


def test_what_is_no_network_is_no_setting() -> None:
    with pytest.raises(ValueError, match="intranet"):
        WebhookTargets("intranet")
