"""The only rooms that speak SQL, one per noun. Arrows from here go to the contract and to plain rooms below alone."""
