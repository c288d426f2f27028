"""Rate limiting: limits that servers tell of, and limits of the caller's own."""
