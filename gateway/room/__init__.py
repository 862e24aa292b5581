"""The pure core of a room: no await, clock, socket, log or randomness. Time, keys and random bytes are arguments."""
