"""One step each. They say in full what they make, and import nothing of ours that may change."""
