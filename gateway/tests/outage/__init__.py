"""Real gateways with a crowd before them, whose store breaks in every way."""
