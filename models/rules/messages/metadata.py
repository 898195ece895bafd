"""Hashes of metadata pairs, by which messages are found."""

from hashlib import blake2b
from uuid import UUID


def pair_hash(tenant_id: int, name: str, value: str) -> UUID:
    """Return the hash of one name and value of a tenant, 128 bits, so that equal means the same.

    The tenant is part of it: the planner then knows how frequent a pair is within its tenant. Names
    and values contain no NUL, which therefore separates them.
    """
    pair = f"{tenant_id}\0{name}\0{value}"
    return UUID(bytes=blake2b(pair.encode(), digest_size=16).digest())
