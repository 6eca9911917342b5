"""The way to Slack: what is to be sent, by whom, and how it went."""
