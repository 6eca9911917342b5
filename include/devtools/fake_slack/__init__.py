"""A Slack of our own, as strict as the real one: alerts are seen and tested without an account."""
