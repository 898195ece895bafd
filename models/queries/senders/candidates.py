"""SQL of the few numbers from which a sender is chosen, independent of the size of the pool.

Each number has a position on a ring of 64-bit hashes (`sender_number.ring`). A merchant and contact
give 21 positions; the number that follows one of them most closely is chosen. This is multi-probe
consistent hashing (Appleton and O'Reilly 2015, arXiv:1505.00062): numbers are used about equally
often, adding or removing a number affects only its own contacts, and each position reads one index
row. The texts are parts of `models.queries.consent.send_policy.POLICY`.
"""

from typing import Final

_OWN: Final = """
    number.tenant_id = merchant.tenant_id AND number.merchant_id = merchant.id
    AND number.claimed_at IS NULL
    AND (number.provider IS NULL
         OR (number.provider = :sandbox) = (tenant.delivery_mode = 'SIMULATOR'))"""

_POOL: Final = """
    number.tenant_id = merchant.tenant_id AND number.merchant_id IS NULL
    AND number.provider IS NULL"""

_CLOSEST: Final = """(
    SELECT following.number, following.registered_at
      FROM generate_series(1, 21) AS probe
     CROSS JOIN LATERAL (
           SELECT hashtextextended(merchant.id || ':' || CAST(:first AS text), probe) AS place
           ) AS point
     CROSS JOIN LATERAL (
           (SELECT number.number, number.registered_at, number.ring FROM sender_number AS number
             WHERE {numbers} AND number.ring >= point.place ORDER BY number.ring LIMIT 1)
           UNION ALL
           (SELECT number.number, number.registered_at, number.ring FROM sender_number AS number
             WHERE {numbers} ORDER BY number.ring LIMIT 1)
           LIMIT 1) AS following
     ORDER BY CAST(following.ring AS numeric) - point.place
              + CASE WHEN following.ring < point.place THEN 18446744073709551616 ELSE 0 END,
              following.number
     LIMIT 1)"""
# `numbers` is the condition on the numbers. After the last position the ring wraps around.

_HEARD: Final = "(SELECT * FROM sender_number WHERE number = heard.last OFFSET 0)"
"""Found by primary key: OFFSET prevents a scan of all of the merchant's numbers."""

_OWN_CANDIDATES: Final = """(
    SELECT number.number, number.registered_at FROM {heard} AS number
     WHERE {own}
    UNION
    SELECT closest.number, closest.registered_at
      FROM (SELECT number.number FROM sender_number AS number WHERE {own}
             ORDER BY number.ready, number.ring LIMIT 1) AS any_own
     CROSS JOIN (VALUES (TRUE), (FALSE)) AS side (ready)
     CROSS JOIN LATERAL {closest} AS closest)"""

_POOL_CANDIDATES: Final = """ARRAY(
    SELECT number.number FROM {heard} AS number
     WHERE {pool}
    UNION
    SELECT closest.number FROM {closest} AS closest)"""

OWN_CANDIDATES: Final = _OWN_CANDIDATES.format(
    own=_OWN, heard=_HEARD, closest=_CLOSEST.format(numbers=f"{_OWN} AND number.ready = side.ready")
)
"""Of a merchant: the last sender to the contact, one number that carriers accept texts from, and
one that still waits for its registration.
"""

POOL_CANDIDATES: Final = _POOL_CANDIDATES.format(
    pool=_POOL, heard=_HEARD, closest=_CLOSEST.format(numbers=_POOL)
)
"""Of a tenant's pool: the last sender to the contact, and one number."""
