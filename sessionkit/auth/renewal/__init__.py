"""Renewing a token once, however many calls found it expired."""
