"""SQL of the few numbers from which a sender is chosen, independent of the size of the pool.

Each number has a position on a ring of 64-bit hashes (`sender_number.ring`). A merchant and contact
give 21 positions; the number that follows one of them most closely is chosen. This is multi-probe
consistent hashing (Appleton and O'Reilly 2015, arXiv:1505.00062): numbers are used about equally
often, adding or removing a number affects only its own contacts, and each position reads one index
row. The texts are parts of `models.queries.senders.chosen_sender.SENDERS`, which is executed only
if a merchant or its pool has several numbers; `FIRST_OWN` and `FIRST_POOL` show that.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSenders:
    """The numbers of one account: those bought through it, and those that its file entry lists."""

    account: str
    listed: Collection[str] = field(default=(), repr=False)


# `m` is the merchant, `t` its tenant, `wanted` a contact. Short, because a statement of more than
# 4,096 bytes is parsed each time.
_MERCHANTS: Final = """
    n.tenant_id = m.tenant_id AND n.merchant_id = m.id AND n.claimed_at IS NULL"""

_OWN: Final = f"""{_MERCHANTS}
    AND ((n.provider = :sandbox) = (t.delivery_mode = 'SIMULATOR')) IS NOT FALSE"""
# Without a provider (NULL) the comparison is unknown, so not false.

_OWN_LIVE: Final = f"{_MERCHANTS} AND n.provider IS DISTINCT FROM :sandbox"
"""Only LIVE tenants have accounts."""

_POOL: Final = """
    n.tenant_id = m.tenant_id AND n.merchant_id IS NULL AND n.provider IS NULL"""

_OF_ACCOUNT: Final = """
    AND (n.account = :account OR n.number = ANY(CAST(:listed AS varchar[])))"""

FIRST_OWN: Final = f"""(
    SELECT n.number, n.ready FROM sender_number n WHERE {_OWN}
     ORDER BY n.ready, n.ring LIMIT 2)"""  # noqa: S608 - every value is a parameter
"""The number of a merchant that has one; two if it has several."""

FIRST_POOL: Final = f"""ARRAY(
    SELECT n.number FROM sender_number n WHERE {_POOL} ORDER BY n.ring LIMIT 2)"""  # noqa: S608 - every value is a parameter
"""The same of a tenant's pool."""

_CLOSEST: Final = """(
    WITH usable AS NOT MATERIALIZED (SELECT n.number, n.ring FROM sender_number n WHERE {numbers}),
         few AS MATERIALIZED (SELECT * FROM usable ORDER BY ring LIMIT 3)
    SELECT number FROM few WHERE (SELECT count(*) FROM few) < 3
    UNION ALL
    (SELECT next.number
       FROM (SELECT hashtextextended(m.id || ':' || wanted.contact_key, probe) AS place
               FROM generate_series(1, 21) AS probe) AS point
      CROSS JOIN LATERAL (
            SELECT COALESCE((SELECT number FROM usable WHERE ring >= place
                              ORDER BY ring LIMIT 1),
                            (SELECT number FROM few ORDER BY ring LIMIT 1)) AS number
            OFFSET 0) AS next
      WHERE (SELECT count(*) FROM few) = 3
      ORDER BY mod(CAST(hashtextextended(next.number, 0) AS numeric) - place
                   + 18446744073709551616, 18446744073709551616), next.number
      LIMIT 1))"""
# `numbers` is the condition on the numbers; the planner repeats `usable` where it is read. If there
# are one or two, all are candidates; only for more the positions are computed. After the last
# position the ring wraps around to the lowest number. OFFSET prevents the planner from repeating
# the look-up wherever its result is used.

_HEARD: Final = "(SELECT * FROM sender_number WHERE number = heard.last OFFSET 0)"
"""Found by primary key: OFFSET prevents a scan of all of the merchant's numbers."""

_OWN_CANDIDATES: Final = """(
    SELECT n.number, n.ready FROM {heard} AS n WHERE {own}
    UNION
    SELECT closest.number, side.ready
      FROM (VALUES (TRUE), (FALSE)) AS side (ready)
     CROSS JOIN LATERAL {closest} AS closest
     WHERE CAST(:channel AS varchar) <> 'EMAIL')"""

_POOL_CANDIDATES: Final = """ARRAY(
    SELECT n.number FROM {heard} AS n WHERE {pool}
    UNION
    SELECT number FROM {closest} AS closest)"""

_UNLESS_OWN: Final = """CASE WHEN NOT EXISTS (
    SELECT 1 FROM sender_number n WHERE {own}) THEN {candidates} END"""


def _own_candidates(own: str) -> str:
    closest = _CLOSEST.format(numbers=f"{own} AND n.ready = side.ready")
    return _OWN_CANDIDATES.format(own=own, heard=_HEARD, closest=closest)


def _pool_candidates(pool: str) -> str:
    return _POOL_CANDIDATES.format(pool=pool, heard=_HEARD, closest=_CLOSEST.format(numbers=pool))


OWN_CANDIDATES: Final = _own_candidates(_OWN)
"""Of a merchant: the last sender to the contact, one number that carriers accept texts from, and
one that still waits for its registration; of one or two numbers of a kind, all.
"""

POOL_CANDIDATES: Final = _pool_candidates(_POOL)
"""Of a tenant's pool: the last sender to the contact, and one number; of one or two, all."""

OWN_CANDIDATES_OF_ACCOUNT: Final = _own_candidates(_MERCHANTS + _OF_ACCOUNT)
"""The same, of one account's numbers only; the simulator's numbers belong to no account."""

POOL_CANDIDATES_OF_ACCOUNT: Final = _UNLESS_OWN.format(
    own=_OWN_LIVE, candidates=_pool_candidates(_POOL + _OF_ACCOUNT)
)
"""The same; none if the merchant has numbers of its own, even if they are of another account."""
