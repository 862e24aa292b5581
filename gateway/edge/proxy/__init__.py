"""The way through to the backend. The rest of the gateway sees `forward.Forwarder`, `relay.Errand` and `errors`."""
