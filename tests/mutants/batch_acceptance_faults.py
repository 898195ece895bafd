"""Faults in the acceptance of batches."""

from typing import Final

from tests.mutants.fault import Fault

_DECIDE: Final = "api/services/messages/batches/decide.py"
_PAGE: Final = "api/services/messages/batches/page.py"
_QUERIES: Final = "models/queries/messages/batches"

_SAME: Final = ("tests/batches/accepting/test_same_as_single_sends.py",)
_PAGES: Final = ("tests/batches/accepting/test_pages.py",)
_RACES: Final = ("tests/batches/accepting/test_races.py",)
_KILLED: Final = ("tests/batches/accepting/test_killed.py",)
_CANCELED: Final = ("tests/batches/accepting/test_canceled.py",)

FAULTS: Final = (
    Fault(
        "the key of an earlier line is forgotten",
        _DECIDE,
        "_Deciding.decide",
        "self.known[line.request.key] =",
        "_ =",
        _SAME,
    ),
    Fault(
        "a line is accepted under the key of another request",
        _DECIDE,
        "_Deciding.decide",
        "line.request.check_same(known.fingerprint)",
        "pass",
        _SAME,
    ),
    Fault(
        "a line's hold is not taken from the funds of the next",
        _DECIDE,
        "_Deciding._accept",
        "self.funds.take(hold)",
        "pass",
        _PAGES,
    ),
    Fault(
        "the lines of a batch are not counted for destinations",
        _DECIDE,
        "_Deciding._accept",
        "self.destinations.count(message)",
        "pass",
        _SAME,
    ),
    Fault(
        "a known recipient counts for its prefix in a batch",
        _PAGE,
        "LockedDestinations._counted",
        "if not (is_known and d.merchant_id)",
        "",
        _SAME,
    ),
    Fault(
        "a page that another worker decided is decided again",
        f"{_QUERIES}/pages.py",
        "lock_page",
        "== batch.next_line",
        "is not None",
        _RACES,
    ),
    Fault(
        "a key that another transaction used meanwhile is taken for ours",
        f"{_QUERIES}/acceptance.py",
        "insert_members",
        "!= len(members)",
        "is None",
        _RACES,
    ),
    Fault(
        "a canceled batch goes on",
        "api/services/messages/batches/acceptance.py",
        "BatchAcceptance._accept",
        "if found.canceled:",
        "if False:",
        _CANCELED,
    ),
    Fault(
        "the chunks of an interrupted step are not started",
        "activities/messages/batches/accept_lines.py",
        "AcceptingLines.accept_lines",
        "activity.info().attempt > 1",
        "False",
        _KILLED,
    ),
    Fault(
        "one line that cannot be processed stops its batch",
        "api/services/messages/batches/acceptance.py",
        "_check_cause",
        "if not caused_by_input(error):",
        "if True:",
        _PAGES,
    ),
    Fault(
        "the sender does not follow the message before it in a batch",
        "api/services/messages/batches/page_lines.py",
        "independent",
        "return read[:place]",
        "return read",
        ("tests/batches/accepting/test_live.py",),
    ),
    Fault(
        "a message that is being sent is canceled with its batch",
        f"{_QUERIES}/cancellation.py",
        "cancel_some",
        " and m.facts.status in WAITING",
        "",
        _CANCELED,
    ),
)
