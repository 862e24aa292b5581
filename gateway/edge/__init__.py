"""The visitors' side: the gate, the pages of the line, and the way through to the backend."""
