"""Claims: what a paper, a report or a hand calculation says about a network, held against what it is."""
