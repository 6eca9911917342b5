"""Files of the landing folder: found, read, checked and copied."""
