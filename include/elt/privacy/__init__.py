"""Forget a person: every row of theirs, wherever the warehouse keeps a copy."""
