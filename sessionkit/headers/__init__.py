"""Readers of header fields: text in, a value out. They never raise."""
