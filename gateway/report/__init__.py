"""The after-event report: what an evening came to, from the audit log and the history."""
