"""Who may book when, as data: a calendar is a TOML file, and `judge` says what it means for one person at one moment.

Pure: imports nothing of the programs, opens no file, asks no clock. The format: `docs/eligibility.md`.
"""
