"""SIP accounts at Twilio: one list and one credential per user, whatever is repeated."""

from dataclasses import replace

import pytest

from providers.ports.sip import Declined, DirectoryAnswer, SipAccount, Stored, Unreached
from providers.twilio.sip import TwilioSip
from tests.vendors import registry_fixtures
from tests.vendors.twilio_double import ACCOUNT, TwilioDouble

USER = SipAccount(username="t1m2", realm="sip.example.com", password="Correct1Horse2Battery")


def set_up() -> tuple[TwilioDouble, TwilioSip]:
    twilio = TwilioDouble()
    return twilio, registry_fixtures.directory(
        registry_fixtures.client(registry_fixtures.transport(twilio))
    )


async def test_an_account_is_kept_in_a_list_the_domain_believes() -> None:
    twilio, directory = set_up()
    assert await directory.put(USER) == Stored()
    [kept] = twilio.all("CredentialLists")
    assert [d["username"] for d in twilio.all("Credentials")] == [USER.username]
    mapped = {
        folder: [d["sid"] for d in found]
        for folder, found in twilio.folders.items()
        if folder.endswith("CredentialListMappings")
    }
    assert sorted(folder.split("/Auth/")[1] for folder in mapped) == [
        "Calls/CredentialListMappings",
        "Registrations/CredentialListMappings",
    ]
    assert list(mapped.values()) == [[kept["sid"]], [kept["sid"]]]


async def test_a_known_user_gets_the_new_password_and_no_second_account() -> None:
    twilio, directory = set_up()
    await directory.put(USER)
    assert await directory.put(replace(USER, password="Another1Horse2Battery")) == Stored()
    assert len(twilio.all("Credentials")) == 1
    assert twilio.told[-1] == {"Password": ["Another1Horse2Battery"]}


async def test_every_process_uses_the_same_list() -> None:
    twilio, directory = set_up()
    await directory.put(USER)
    other = registry_fixtures.directory(
        registry_fixtures.client(registry_fixtures.transport(twilio))
    )
    await other.put(replace(USER, username="t1m3"))
    assert len(twilio.all("CredentialLists")) == 1
    assert len(twilio.all("CredentialListMappings")) == 2
    assert len(twilio.all("Credentials")) == 2


async def test_the_older_of_two_concurrent_lists_is_used() -> None:
    twilio, directory = set_up()
    folder = f"/2010-04-01/Accounts/{ACCOUNT}/SIP/CredentialLists"
    twilio.folders[folder] = [
        {"sid": sid, "friendly_name": name, "date_created": f"Fri, 27 Nov {at} +0000"}
        for sid, name, at in (
            ("CL1", "hexavox", "2026 10:00:01"),
            ("CL2", "hexavox", "2026 10:00:00"),
            ("CL0", "another", "2020 10:00:00"),
        )
    ]
    await directory.put(USER)
    assert [d["username"] for d in twilio.folders[f"{folder}/CL2/Credentials"]] == [USER.username]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_lost_answer_is_unreached_and_doing_it_again_is_once(when: str) -> None:
    twilio, directory = set_up()
    answers: list[DirectoryAnswer] = []
    for _ in range(6):
        twilio.loses = when if len(answers) < 4 else None
        answers.append(await directory.put(USER))
    assert isinstance(answers[0], Unreached)
    assert answers[-1] == Stored()
    assert len(twilio.all("CredentialLists")) == 1
    assert len(twilio.all("Credentials")) == 1


async def test_a_removed_account_is_gone_also_the_second_time() -> None:
    twilio, directory = set_up()
    await directory.put(USER)
    for _ in range(2):
        assert await directory.remove(USER.username) == Stored()
        assert twilio.all("Credentials") == []


@pytest.mark.parametrize("remade", [False, True])
async def test_a_manually_deleted_list_is_created_again(remade: bool) -> None:
    twilio, directory = set_up()
    await directory.put(USER)
    forget(twilio)
    if remade:  # by another process
        await registry_fixtures.directory(
            registry_fixtures.client(registry_fixtures.transport(twilio))
        ).put(USER)
    assert await directory.put(USER) == Stored()
    [kept] = twilio.all("CredentialLists")
    assert [d["username"] for d in twilio.all("Credentials")] == [USER.username]
    assert {d["sid"] for d in twilio.all("CredentialListMappings")} == {kept["sid"]}


async def test_an_account_is_removed_from_the_list_that_is_there() -> None:
    twilio, directory = set_up()
    await directory.put(USER)
    forget(twilio)
    await registry_fixtures.directory(
        registry_fixtures.client(registry_fixtures.transport(twilio))
    ).put(USER)
    assert await directory.remove(USER.username) == Stored()
    assert twilio.all("Credentials") == []


def forget(twilio: TwilioDouble) -> None:
    """Delete our list with its contents."""
    for folder in list(twilio.folders):
        if "Credential" in folder:
            del twilio.folders[folder]


async def test_a_refusal_by_twilio_has_its_code() -> None:
    twilio, directory = set_up()
    twilio.refuses["/Credentials"] = (400, {"code": 21247, "message": "weak", "status": 400})
    assert await directory.put(USER) == Declined(provider_code="21247")
