"""What is wrong, or may be, with settings and the files they name, before anything starts. Opens no store."""

import os

from gateway import keys
from gateway.edge import certificate
from gateway.edge.pages import Pages
from gateway.edge.proxy.servers import tls_context
from gateway.settings import Room, Settings
from gateway.store.open import open_configured
from shared.calendar_file import find_calendar, read_calendar
from shared.errors import SettingsError, SunbeonError
from shared.rules.model import BadCalendar


def problems(settings: Settings) -> list[str]:
    """What only a look at files can tell: keys, certificate, templates, the store's address."""
    found = []
    try:
        keys.load(settings.gateway.keys_file)
    except SunbeonError as error:
        found.append(f"gateway.keys_file: {error}")
    try:
        _certificate(settings)
    except SunbeonError as error:
        found.append(f"gateway.tls_certificate: {error}")
    try:
        tls_context(settings.upstream)
    except SettingsError as error:
        found += error.problems
    try:
        open_configured(settings.gateway, os.environ)
    except SunbeonError as error:
        found.append(f"gateway.store: {error}")
    for room in settings.room:
        found += _calendar_problems(room)
        if room.templates is not None and not room.templates.is_dir():
            found.append(f"room.{room.name}.templates: {room.templates} is not a folder")
        else:
            found += [f"room.{room.name}.templates: {problem}" for problem in Pages(room.templates).check()]
    return found


def warnings(settings: Settings) -> list[str]:
    """Of settings without problems: what may not be meant."""
    served = _certificate(settings)
    found = [] if served is None or served.warning is None else [f"gateway.tls_certificate: {served.warning}"]
    for room in settings.room:
        if room.calendar is not None and any(
            each.attributes for each in read_calendar(find_calendar(room.calendar)).cohorts
        ):
            told = "some cohorts ask for more than a birth date, and nobody here can be known to be in them"
            found.append(f"room.{room.name}.calendar: {told}")
    return found


def _calendar_problems(room: Room) -> list[str]:
    try:
        read_calendar(find_calendar(room.calendar)) if room.calendar is not None else None
    except BadCalendar as error:
        return [f"room.{room.name}.calendar: {problem}" for problem in error.problems]
    return []


def _certificate(settings: Settings) -> certificate.Loaded | None:
    """None if HTTPS does not end at the gateway. Raises `CertificateProblem`."""
    files = settings.gateway.tls_certificate, settings.gateway.tls_key
    return certificate.load(files[0], files[1]) if files[0] and files[1] else None
