"""Is streaming in constant memory, and does it survive bad clients and bad backends? Figures, and bounds on them."""
