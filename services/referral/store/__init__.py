"""Every SQL statement of referral: one function each, for a whole batch.

Lock order in a transaction: rows of the directory ascending, then cases ascending.
"""
