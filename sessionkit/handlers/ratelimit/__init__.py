"""Rate limiting: quotas that servers report, and rates that the caller sets."""
