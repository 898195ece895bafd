"""URLs of endpoints: how a host may be written, and what an URL may contain."""

import pytest

from models.errors import ValidationFailed
from models.rules.webhooks.urls import LONGEST_URL, check_webhook_url

GOOD = [
    ("https://example.com", "example.com", 443, "/", "example.com"),
    ("HTTPS://Example.COM/Hooks", "example.com", 443, "/Hooks", "example.com"),
    ("https://example.com:443/a", "example.com", 443, "/a", "example.com"),
    ("https://example.com:8443/a", "example.com", 8443, "/a", "example.com:8443"),
    ("https://example.com:1/", "example.com", 1, "/", "example.com:1"),
    ("https://example.com:65535/", "example.com", 65535, "/", "example.com:65535"),
    ("https://example.com?a=b", "example.com", 443, "/?a=b", "example.com"),
    ("https://example.com/a%2Fb?c=%20&d=é", "example.com", 443, "/a%2Fb?c=%20&d=%C3%A9", None),
    ("https://example.com/@you", "example.com", 443, "/@you", None),
    ("https://example.com/%zz", "example.com", 443, "/%zz", None),
    ("https://my_app.example.com/", "my_app.example.com", 443, "/", None),
    ("https://a-1.example.com/", "a-1.example.com", 443, "/", None),
    ("https://1a.2b.example.c3/", "1a.2b.example.c3", 443, "/", None),
    ("https://bücher.example/", "xn--bcher-kva.example", 443, "/", "xn--bcher-kva.example"),
    ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "/", None),
    ("https://ＥＸＡＭＰＬＥ.com/", "example.com", 443, "/", None),
    ("https://localhost.example.com/", "localhost.example.com", 443, "/", None),
    ("https://local.example/", "local.example", 443, "/", None),
    ("https://93.184.216.34/", "93.184.216.34", 443, "/", "93.184.216.34"),
    ("https://[2606:4700:4700:0::1111]/", "2606:4700:4700::1111", 443, "/", None),
    ("https://[2606:4700::1]:8443/", "2606:4700::1", 8443, "/", "[2606:4700::1]:8443"),
]
REFUSED_EVERYWHERE = [
    # schemes, and what is no URL
    *("", "https", "https:", "https://", "https:///a", "https:/example.com", "example.com"),
    *("//example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/"),
    *("javascript:alert(1)", "unix:///run/a", "ws://example.com", "https:example.com"),
    *("https://?a=b", "https://:443/", "https://[/", "https://]/", "https://[::1/"),
    # credentials and fragments
    *("https://a@example.com/", "https://a:b@example.com/", "https://@example.com/"),
    *("https://:@example.com/", "https://example.com@127.0.0.1/", "https://example.com/#"),
    *("https://example.com/#a", "https://example.com#@127.0.0.1/"),
    # characters
    *("https://example.com/a b", " https://example.com/", "https://example.com/ "),
    *("https://example.com/\x00", "https://exa\nmple.com/", "https://example.com/\r\nHost: a"),
    *(
        "https://example.com\t/",
        "https://example.com\\@127.0.0.1/",
        "https://example.com/a\\b",
        "https:\\\\example.com",
    ),
    *("https://example.com/\x7f", "https://example.com/\x85", "https://example.com/\u2028"),
    *("https://example.com/\xa0", "https://example.com/\ud800", "https://exa\u200bmple.com/"),
    *("https://example.com/\u202e", "https://example .com/"),
    # ports
    *("https://example.com:0/", "https://example.com:65536/", "https://example.com:99999/"),
    *("https://example.com:/", "https://example.com:-1/", "https://example.com:+443/"),
    *("https://example.com:443x/", "https://example.com:４４３/", "https://example.com:0x1bb/"),
    *("https://example.com:000443/", "https://example.com:443:443/", "https://example.com:1.5/"),
    # host names
    *("https://example/", "https://redis:6379/", "https://com/", "https://a..example.com/"),
    *("https://.example.com/", "https://example.com./", "https://example.com../", "https://./"),
    *("https://-a.example.com/", "https://a-.example.com/", "https://exam!ple.com/"),
    *("https://example.com%2e/", "https://127.0.0%2e1/", "https://ex%61mple.com/"),
    *(f"https://{'a' * 64}.example.com/", f"https://{'a.' * 126}com/", "https://xn--0.example/"),
    *("https://xn--a.example/", "https://example。com。/", "https://*.example.com/"),
    # names of private networks
    *("https://localhost./", "https://a.localhost/", "https://A.LOCALHOST/", "https://a.local/"),
    *("https://metadata.google.internal/", "https://a.internal/", "https://host.docker.internal/"),
    *("https://a.b.svc.cluster.local/", "https://localhost.localdomain/", "https://a.lan/"),
    *("https://router.home.arpa/", "https://a.home/", "https://a.corp/", "https://a.onion/"),
    *("https://ｌｏｃａｌｈｏｓｔ./", "https://a.ｌｏｃａｌ/", "https://a。internal/"),
    # IPv4 addresses in other spellings; of private networks; clouds' metadata
    *("https://2130706433/", "https://0x7f000001/", "https://017700000001/", "https://127.1/"),
    *("https://0x7f.1/", "https://0177.0.0.1/", "https://127.0.0.01/", "https://127.0.0.1./"),
    *("https://0/", "https://0.0.0.0/", "https://127.0.0.0x1/", "https://127.0.1/"),
    *("https://1.2.3.4.5/", "https://256.0.0.1/", "https://a.1/", "https://a.0x1/"),
    *("https://8.8.8.8./", "https://134744072/", "https://8.8.2056/", "https://０x08.8.8.8/"),
    *("https://10.0.0.1/", "https://169.254.169.254/latest/", "https://192.168.0.1:8443/"),
    *("https://①⑥⑨.254.169.254/", "https://100.100.100.200/", "https://255.255.255.255/"),
    # IPv6
    *("https://[::]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/"),
    *("https://[::ffff:8.8.8.8]/", "https://[::127.0.0.1]/", "https://[64:ff9b::10.0.0.1]/"),
    *("https://[fe80::1%25eth0]/", "https://[fe80::1]/", "https://[fd00:ec2::254]/"),
    *("https://[::1%25lo]/", "https://[::1%lo]/", "https://[2606:4700::1%251]/"),
    *("https://[2002:7f00:1::]/", "https://[2001::1]/", "https://[v1.a]/", "https://[127.0.0.1]/"),
    *("https://[::1]a/", "https://a[::1]/", "https://[]/", "https://[example.com]/"),
    *("https://::1/", "https://2606:4700::1/"),
]
LOCAL_ONLY = [
    *("http://localhost:8090/hooks/a", "http://LOCALHOST/", "http://127.0.0.1:8090/hooks/a"),
    *("http://[::1]:8090/", "https://localhost/", "https://127.0.0.1/", "https://[::1]/"),
    *("http://127.1.2.3/", "http://[0:0::1]/", "http://example.com/"),
    *("https://１２７.0.0.1/", "https://①②⑦.0.0.1/"),
]


@pytest.mark.parametrize(("url", "host", "port", "path", "header"), GOOD)
@pytest.mark.parametrize("local", [False, True])
def test_a_public_https_url_is_accepted(
    url: str, host: str, port: int, path: str, header: str | None, local: bool
) -> None:
    target = check_webhook_url(url, local=local)
    assert (target.scheme, target.host, target.port, target.path) == ("https", host, port, path)
    assert header is None or target.host_header == header


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("url", REFUSED_EVERYWHERE)
def test_any_other_url_is_refused(url: str, local: bool) -> None:
    with pytest.raises(ValidationFailed) as caught:
        check_webhook_url(url, local=local)
    [(field, _)] = caught.value.errors
    assert field == "url"


@pytest.mark.parametrize("url", LOCAL_ONLY)
def test_http_and_loopback_are_for_the_local_demo(url: str) -> None:
    assert check_webhook_url(url, local=True).path
    with pytest.raises(ValidationFailed):
        check_webhook_url(url, local=False)


def test_a_url_has_a_longest_length() -> None:
    longest = "https://example.com/".ljust(LONGEST_URL, "a")
    assert check_webhook_url(longest, local=False).host == "example.com"
    with pytest.raises(ValidationFailed, match="2048 characters"):
        check_webhook_url(f"{longest}a", local=False)


def test_an_error_does_not_repeat_the_url() -> None:
    with pytest.raises(ValidationFailed) as caught:
        check_webhook_url("https://user:hidden@example.com/?token=hidden", local=False)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://a:b@example.com/", "must contain no credentials"),
        ("https://example.com/#a", "must have no fragment"),
        ("http://example.com/", "must start with https://"),
        ("https://127.1/", "four decimal numbers"),
        ("https://10.0.0.1/", "must not be a private"),
        ("https://redis/", "must name a public host"),
        ("https://example.com./", "without a dot at its end"),
    ],
)
def test_an_error_says_what_to_change(url: str, reason: str) -> None:
    with pytest.raises(ValidationFailed, match=reason):
        check_webhook_url(url, local=False)
