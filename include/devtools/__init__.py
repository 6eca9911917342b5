"""What a laptop and the tests need and production does not."""
