"""What all four services stand on: the bus, the database, time, keys and the contract between the houses."""
