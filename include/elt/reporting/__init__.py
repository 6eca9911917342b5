"""The report: a static page after each publication, from marts and counts of ``ops`` alone."""
