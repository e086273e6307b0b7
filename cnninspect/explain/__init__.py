"""Where a number comes from: derivations with the numbers put in, symbolic counts, the solver."""
