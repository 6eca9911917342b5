"""Rows that can't be loaded: why, where they wait, and how they are tried again."""
