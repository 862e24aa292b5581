"""What is shown on a terminal."""


def plain(text: str) -> str:
    """A text that others wrote, as one that only says something: no colours, no cursor, no line of its own."""
    return "".join(mark if mark.isprintable() else "\ufffd" for mark in text)
