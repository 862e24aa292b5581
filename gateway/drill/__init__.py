"""`sunbeon drill`: plays the known bypasses against a site as it stands, and says what came of each (docs/drill.md)."""
