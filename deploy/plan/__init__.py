"""What a team could carry: a month of invented requests, answered by the rules that the region itself goes by."""
