"""Every SQL statement of notify, one function each. All of them take lists."""
