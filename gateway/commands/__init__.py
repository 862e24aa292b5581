"""The commands. A module for each subject: `add_parsers(commands)` adds them, with their `run`.

`run(arguments, environ)` does what was ordered and returns the exit code.
"""
