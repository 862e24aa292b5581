"""Commands beside `run`. A module for each subject: `add_parsers(commands)` adds them, each with a `handle`.

`handle(arguments)` does what was ordered and returns the exit code.
"""
