"""The pages, a module for each part of the visit. They work without JavaScript.

Every address a form is sent to can also be opened: should the visitor's turn end while they type, the waiting page
takes the answer's place, and brings them back to that address.
"""

from booking.routes.html.table import routes

__all__ = ["routes"]
