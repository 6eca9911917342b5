"""``greenery``: what an operator does to the warehouse by hand, between runs or beside them."""
