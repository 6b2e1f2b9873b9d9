"""Decide when a failed attempt is sent again, after which delay, and how many times."""
