"""Sending by the user's session: the wire, redirects, placed credentials, direct requests."""
