"""Who may use an account at a vendor, and which senders belong to it."""

from dataclasses import dataclass, field

from models.enums import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountScope:
    """The tenants that an account serves, and its senders by the providers file."""

    tenants: frozenset[str] | None = None
    """Names of the tenants that may use it; None: all."""
    numbers: frozenset[str] = field(default=frozenset(), repr=False)
    """Numbers (E.164) of this account besides those that were bought through it."""
    domains: frozenset[str] = field(default=frozenset(), repr=False)
    """Domains, in lower case, from which it may send mail. A subdomain must be listed itself."""

    def serves(self, tenant: str) -> bool:
        """Return whether a tenant may use the account."""
        return self.tenants is None or tenant in self.tenants

    def lists(self, channel: Channel, sender: str) -> bool:
        """Return whether the file names the sender: a number, or the domain of an address."""
        if channel is Channel.EMAIL:
            return domain_of(sender) in self.domains
        return sender in self.numbers


def domain_of(address: str) -> str:
    """Return the domain of an e-mail address in lower case."""
    return address.rpartition("@")[2].lower()
