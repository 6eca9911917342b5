"""Troubles to be had on purpose, and what Slack hears of each."""
