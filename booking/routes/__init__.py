"""HTTP: the gate every request passes, the JSON API, the pages, and the one place that chooses status codes."""
