"""Claims: numbers from a paper, a report or a hand calculation, compared with the network."""
