"""A thin, real booking site to stand behind the gateway."""
