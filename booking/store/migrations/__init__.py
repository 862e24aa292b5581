"""How the tables came to be what `booking.store.tables` says, step by step. A step that was released never changes."""
