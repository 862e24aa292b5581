"""The way through to the backend. Today on aiohttp's client; the rest of the gateway sees only `forward.Forwarder`."""
