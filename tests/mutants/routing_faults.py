"""Faults in the choice of account and sender."""

from typing import Final

from tests.mutants.fault import Fault

_CHOICE: Final = "activities/messages/account_choice.py"
_ROUTES: Final = "providers/routing.py"
_CANDIDATES: Final = "models/queries/senders/candidates.py"
_SENDERS: Final = "api/services/messages/routed_senders.py"

_DISPATCH: Final = ("tests/activities/messages/test_account_choice.py",)
_ACCEPTANCE: Final = ("tests/api/messages/test_routed_senders.py",)
_TABLE: Final = ("tests/unit/accounts/test_routing_table.py",)

FAULTS: Final = (
    Fault(
        "an account sends from a number of another",
        _CHOICE,
        "owns_sender",
        "scope is None",
        "True",
        _DISPATCH,
    ),
    Fault(
        "the sender changes after an absence that was only inferred",
        "models/queries/messages/dispatch.py",
        "lock_for_dispatch",
        "a.state in NOT_SENT and not a.inferred",
        "a.state in NOT_SENT",
        _DISPATCH,
    ),
    Fault(
        "a disabled account is used",
        _CHOICE,
        "choose_account",
        "found.disabled",
        "[]",
        _DISPATCH,
    ),
    Fault(
        "an account serves every tenant",
        _ROUTES,
        "Routes._serves",
        "scope is None or",
        "True or",
        (*_DISPATCH, *_ACCEPTANCE),
    ),
    Fault(
        "an inferred absence is sent again by another account",
        _ROUTES,
        "Routes.in_turn",
        " and bound <= {provider.account}",
        "",
        ("tests/unit/providers/test_routing.py",),
    ),
    Fault(
        "an account that refused is asked again",
        _ROUTES,
        "Routes.in_turn",
        "if provider.account not in refused and",
        "if",
        (*_DISPATCH, "tests/unit/providers/test_routing.py"),
    ),
    Fault(
        "a merchant with numbers sends from the pool",
        _CANDIDATES,
        "_UNLESS_OWN",
        "NOT EXISTS",
        "TRUE OR EXISTS",
        (*_DISPATCH, *_ACCEPTANCE),
    ),
    Fault(
        "numbers bought through an account are not its own",
        _CANDIDATES,
        "_OF_ACCOUNT",
        "n.account = :account OR",
        "CAST(:account AS varchar) = '' OR",
        (*_DISPATCH, *_ACCEPTANCE),
    ),
    Fault(
        "a quote ignores which accounts are switched off",
        _SENDERS,
        "RoutedSenders.routed",
        "p.account in disabled",
        "False",
        _ACCEPTANCE,
    ),
    Fault(
        "country beats tenant",
        "models/rules/accounts/routing_table.py",
        "RoutingTable.accounts",
        "(wanted.tenant, None), (wanted.country, None)",
        "(None, wanted.tenant), (wanted.country, None)",
        _TABLE,
    ),
    Fault(
        "a subdomain of a domain is its account's",
        "models/rules/accounts/account_scope.py",
        "AccountScope.lists",
        "domain_of(sender) in self.domains",
        "domain_of(sender).endswith(tuple(self.domains))",
        _TABLE,
    ),
)
