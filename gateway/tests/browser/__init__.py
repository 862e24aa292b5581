"""A real Chromium in front of a real gateway and booking site."""
