"""Made-up landing files of the shop, day by day, for demos, trials and measurements."""
