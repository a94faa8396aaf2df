"""Which vectors are comparable, and whether a model is still the one that made them."""
