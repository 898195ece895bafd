"""A real SMTP server takes the e-mails: TLS, AUTH, content, signature, non-ASCII addresses."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import dkim
import pytest

from models.enums import ErrorCode
from providers.accounts import CheckResult
from providers.ports.messages import Accepted, NotProcessed, Refused, SmsRequest
from providers.smtp.account import DkimKey, Security
from providers.smtp.messages import Smtp
from providers.smtp.setup import check_credentials
from tests.smtp.certificates import Certificates
from tests.smtp.mails import PASSWORD, REFERENCE, SECRET, SENDER, TO, account, email
from tests.smtp.published_key import published
from tests.smtp.real_relay import USER, RealRelay

ACCEPTED = Accepted(provider_message_id=REFERENCE)
Build = Callable[..., Smtp]


@pytest.fixture
def connect(smtp: Build, certificates: Certificates) -> Build:
    """Builds an adapter that trusts the tests' CA, with the right password unless told."""

    def build(relay: RealRelay, **change: object) -> Smtp:
        fields = {
            "security": Security.TLS if relay.implicit else Security.STARTTLS,
            "ca_file": certificates.ca_file,
            "username": USER,
            "password": PASSWORD,
        }
        return smtp(relay.port, **{**fields, **change})

    return build


@pytest.mark.parametrize("implicit", [False, True])
async def test_a_relay_takes_one_mail_over_tls(
    connect: Build, certificates: Certificates, implicit: bool
) -> None:
    async with RealRelay(certificates.server, implicit=implicit) as relay:
        answer = await connect(relay).send(
            email(
                subject="Grüße: “Frühling” 🎉",
                html="<p>Hällo</p>\n.hidden",
                text=".first\n.\n..\nHello",
                reply_to="desk@gym.example",
                headers={
                    "List-Unsubscribe": f"<https://example.com/u/{'a' * 200}>",
                    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
                },
            )
        )
        assert answer == ACCEPTED
        assert [(e.mail_from, e.rcpt_tos) for e in relay.envelopes] == [(SENDER, [TO])]
        mail = relay.mail()
        assert mail["Subject"] == "Grüße: “Frühling” 🎉"
        assert (mail["From"], mail["To"], mail["Reply-To"]) == (SENDER, TO, "desk@gym.example")
        assert mail["Message-ID"] == f"<{REFERENCE}@gym.example>"
        assert mail["Date"].datetime.utcoffset() == timedelta(0)
        assert mail["MIME-Version"] == "1.0"
        unfolded = f"List-Unsubscribe: <https://example.com/u/{'a' * 200}>\r\n"
        assert unfolded.encode() in relay.content()
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert mail.get_content_type() == "multipart/alternative"
        parts = [(part.get_content_type(), part.get_content()) for part in mail.iter_parts()]
        assert [(kind, text.replace("\r\n", "\n")) for kind, text in parts] == [
            ("text/plain", ".first\n.\n..\nHello\n"),
            ("text/html", "<p>Hällo</p>\n.hidden\n"),
        ]
        assert max(map(len, relay.content().split(b"\r\n"))) <= 998
        assert relay.content().isascii()


async def test_several_recipients_get_one_mail(connect: Build, certificates: Certificates) -> None:
    recipients = tuple(f"member-{number}-{'x' * 40}@example.com" for number in range(50))
    async with RealRelay(certificates.server) as relay:
        assert await connect(relay).send(email(*recipients)) == ACCEPTED
        assert [tuple(e.rcpt_tos) for e in relay.envelopes] == [recipients]
        assert tuple(one.addr_spec for one in relay.mail()["To"].addresses) == recipients


async def test_the_signature_verifies_and_covers_what_matters(
    connect: Build, certificates: Certificates, dkim_key: DkimKey
) -> None:
    record = published(dkim_key)
    asked: list[bytes] = []

    def dns(name: bytes, timeout: int = 5) -> bytes:
        asked.append(name)
        return record

    def verifies(content: bytes) -> bool:
        try:
            return bool(dkim.DKIM(content).verify(dnsfunc=dns))
        except dkim.ValidationError:  # the body was changed
            return False

    async with RealRelay(certificates.server) as relay:
        adapter = connect(relay, dkim={"Gym.Example": dkim_key})
        await adapter.send(
            email(
                html="<p>Hi</p>  \r\n\r\n\r\n", headers={"List-Unsubscribe": "<https://x.example>"}
            )
        )
        content = relay.content()
        assert verifies(content)
        assert asked == [b"s1._domainkey.gym.example."]
        for old, new in [
            (b"To: member", b"To: other"),
            (b"Subject: Hello", b"Subject: Hullo"),
            (b"From: no-reply", b"From: someone"),
            (b"Message-ID: <hx", b"Message-ID: <hy"),
            (b"Date: ", b"Date: Mon, "),
            (b"List-Unsubscribe: <https", b"List-Unsubscribe: <http"),
            (b"<p>Hi", b"<p>Ho"),
            (b"From: ", b"From: a@other.example\r\nFrom: "),
            (b"Subject: ", b"Subject: One more\r\nSubject: "),
        ]:
            assert old in content
            assert not verifies(content.replace(old, new, 1))


async def test_a_domain_without_a_key_is_left_to_the_relay(
    connect: Build, certificates: Certificates, dkim_key: DkimKey
) -> None:
    async with RealRelay(certificates.server) as relay:
        adapter = connect(
            relay,
            domains=frozenset({"gym.example", "other.example"}),
            dkim={"gym.example": dkim_key},
        )
        assert await adapter.send(email(sender="a@other.example")) == ACCEPTED
        assert "DKIM-Signature" not in relay.mail()


async def test_a_wrong_password_is_tried_once_and_is_the_accounts_fault(
    connect: Build, certificates: Certificates
) -> None:
    async with RealRelay(certificates.server) as relay:
        answer = await connect(relay, password="wrong").send(email())
        assert answer == NotProcessed(
            reason="AUTH refused", provider_code="535 5.7.8", account_fault=True
        )
        assert (relay.logins, relay.envelopes) == ([False], [])


@pytest.mark.parametrize("implicit", [False, True])
async def test_a_relay_with_a_certificate_that_is_not_trusted_gets_nothing(
    smtp: Build, certificates: Certificates, implicit: bool
) -> None:
    untrusted = NotProcessed(
        reason=f"{'connect' if implicit else 'STARTTLS'}: certificate", account_fault=True
    )
    security = Security.TLS if implicit else Security.STARTTLS
    options = {"security": security, "username": USER, "password": PASSWORD}
    async with RealRelay(certificates.server, implicit=implicit) as relay:
        assert await smtp(relay.port, **options).send(email()) == untrusted
    async with RealRelay(certificates.stranger, implicit=implicit) as other:
        adapter = smtp(other.port, ca_file=certificates.ca_file, **options)
        assert await adapter.send(email()) == untrusted
    assert (relay.logins, other.logins) == ([], [])


async def test_an_address_outside_ascii_needs_smtputf8(
    connect: Build, certificates: Certificates
) -> None:
    request = email("jürgen@straße.example")
    async with RealRelay(certificates.server) as relay:
        assert await connect(relay).send(request) == ACCEPTED
        assert relay.envelopes[0].rcpt_tos == ["jürgen@xn--strae-oqa.example"]
        assert relay.envelopes[0].smtp_utf8
        assert relay.mail()["To"] == "jürgen@xn--strae-oqa.example"
    async with RealRelay(certificates.server, utf8=False) as relay:
        adapter = connect(relay)
        assert await adapter.send(request) == Refused(
            error_code=ErrorCode.BAD_DESTINATION,
            provider_code="SMTPUTF8 is not offered",
            everywhere=False,
        )
        # A domain outside ASCII does not need it.
        assert await adapter.send(email("juergen@straße.example")) == ACCEPTED
        assert [e.rcpt_tos for e in relay.envelopes] == [["juergen@xn--strae-oqa.example"]]
        assert relay.connections == 1


async def test_the_envelope_sender_names_the_attempt_if_bounces_are_read(
    connect: Build, certificates: Certificates
) -> None:
    async with RealRelay(certificates.server) as relay:
        adapter = connect(
            relay, bounce_address="bounces@mail.gym.example", options={"bounce_secret": SECRET}
        )
        assert await adapter.send(email()) == ACCEPTED
        sender = relay.envelopes[0].mail_from
        assert sender is not None
        assert sender.startswith("bounces+")
        assert sender.endswith("@mail.gym.example")
        assert len(sender.partition("@")[0]) <= 64
        assert relay.mail()["From"] == SENDER


async def test_a_foreign_sender_domain_is_the_senders_fault(
    connect: Build, certificates: Certificates
) -> None:
    async with RealRelay(certificates.server) as relay:
        for sender in ("a@other.example", "a@sub.gym.example", "gym.example", ""):
            assert await connect(relay).send(email(sender=sender)) == NotProcessed(
                reason="not a sender domain of the account", sender_fault=True
            )
        assert relay.connections == 0


async def test_a_check_authenticates_and_sends_nothing(certificates: Certificates) -> None:
    async with RealRelay(certificates.server) as relay:
        right, wrong = (
            account(
                relay.port,
                security=Security.STARTTLS,
                ca_file=certificates.ca_file,
                username=USER,
                password=password,
            )
            for password in (PASSWORD, "wrong")
        )
        assert await check_credentials(right) == CheckResult(valid=True)
        assert await check_credentials(wrong) == CheckResult(
            valid=False, reason="AUTH refused 535 5.7.8"
        )
        assert (relay.logins, relay.envelopes) == ([True, False], [])


async def test_other_channels_are_a_programming_error(
    connect: Build, certificates: Certificates
) -> None:
    request = email()
    text = SmsRequest(
        to="+18135551234",
        sender="+15005550006",
        body="Hello",
        reference=REFERENCE,
        callback_url="",
        not_after=request.not_after,
    )
    async with RealRelay(certificates.server) as relay:
        with pytest.raises(TypeError):
            await connect(relay).send(text)


async def test_contacts_texts_and_secrets_reach_no_log(
    connect: Build, certificates: Certificates, caplog: pytest.LogCaptureFixture, dkim_key: DkimKey
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # the server's own
    async with RealRelay(certificates.server) as relay:
        adapter = connect(
            relay,
            dkim={"gym.example": dkim_key},
            bounce_address="b@gym.example",
            options={"bounce_secret": SECRET},
        )
        request = replace(email(), subject="Secret subject", text="Secret text")
        assert await adapter.send(request) == ACCEPTED
        assert await connect(relay, password="wrongOne").send(request) != ACCEPTED
    told = caplog.text + repr(request) + repr(vars(adapter))
    for private in (TO, SENDER, "Secret", PASSWORD, "wrongOne", "PRIVATE KEY", SECRET.decode()):
        assert private not in told
