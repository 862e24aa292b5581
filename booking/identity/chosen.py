"""The identity provider that the settings ask for."""

from booking.identity.base import IdentityProvider
from booking.identity.simulated import SimulatedIdentity
from booking.settings import Identity


def chosen_provider(settings: Identity) -> IdentityProvider:
    """Asks nobody yet."""
    methods = {"carrier": settings.carrier, "certificate": settings.certificate}
    return SimulatedIdentity(methods, timeout_s=settings.timeout_s)
