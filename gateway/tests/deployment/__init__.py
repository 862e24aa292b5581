"""The configurations in `deploy/` for several gateways, with the real programs; only addresses and paths are put in."""
