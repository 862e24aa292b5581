"""The operators' side: a second listener, loopback by default, never without a token."""
