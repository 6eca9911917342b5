"""What people read. Pure: what is known in, Slack's blocks out."""
