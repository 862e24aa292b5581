"""What the gateway costs beside nginx, haproxy, Go, Caddy and plain aiohttp: `make bench`, told in docs/benchmarks.md.

It starts only the gateway's command, never imports it, and gets tickets and passes as visitors do: by asking for them.
"""
