"""An evening in virtual time: the real policy before the real store, and a crowd of millions that is only numbers."""
