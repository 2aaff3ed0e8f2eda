"""`make demo`: what the three program structures do and refuse, walked through the real doors of a running region."""
