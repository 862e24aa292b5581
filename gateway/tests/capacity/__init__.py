"""What the Redis store costs its server: memory, commands, time. `python -m gateway.tests.capacity` prints it."""
