"""The waiting room: a gateway that lets visitors through to a booking site in order, at a pace it can bear."""
