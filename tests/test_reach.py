"""Where events may be sent: every kind of address that is not the public internet's is refused, unless it is named."""

from ipaddress import ip_address

import pytest

from app.base.settings import BadSettings, read_settings
from app.base.ssrf_guard import allowed, checked_url, networks

INSIDE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:192.168.0.1",
    "64:ff9b::10.0.0.1",
    "2002:a00:1::1",
    "2001:0:4136:e378:8000:63bf:f5ff:fffe",
]
OUTSIDE = ["93.184.215.14", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_inside_is_refused_until_it_is_named(address: str) -> None:
    assert not allowed(ip_address(address), ())
    assert not allowed(ip_address(address), networks("203.0.113.0/24"))


@pytest.mark.parametrize("address", OUTSIDE)
def test_the_internet_is_reached_by_tls_alone(address: str) -> None:
    assert allowed(ip_address(address), ())
    assert not allowed(ip_address(address), (), plain=True)
    assert not allowed(ip_address(address), networks("10.0.0.0/8"), plain=True)


def test_named_networks_are_reached_both_ways() -> None:
    named = networks("10.1.0.0/16, ::1/128")
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "::1"):
        assert allowed(ip_address(address), named) and allowed(ip_address(address), named, plain=True)
    assert not allowed(ip_address("10.2.0.1"), named)


@pytest.mark.parametrize(
    "url", ["https://example.com", "https://example.com:8443/a?b=c", "https://8.8.8.8/", "https://[2606:4700::1111]/x"]
)
def test_urls_that_are_good(url: str) -> None:
    assert checked_url(url, ()) == url


@pytest.mark.parametrize(
    "url", ["https://2130706433/", "https://0x7f.1/", "https://127.1/"], ids=["a number", "hexadecimal", "short"]
)
def test_other_spellings_of_an_address_are_names_here_and_judged_when_they_are_looked_up(url: str) -> None:
    assert checked_url(url, ()) == url


def test_networks_that_are_none_are_a_fault_of_the_settings() -> None:
    assert len(read_settings(private_receivers="127.0.0.0/8, ::1").receivers) == 2
    for wrong in ("localhost", "10.0.0.1/8", "10.0.0.0/40"):
        with pytest.raises(BadSettings, match="ORDERS_PRIVATE_RECEIVERS: must be networks"):
            read_settings(private_receivers=wrong)
