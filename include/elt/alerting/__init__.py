"""Who hears of a failed run, and in which words."""
