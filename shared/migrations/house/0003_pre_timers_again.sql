-- An action that has to come again at a time of its own choosing gives back the rest of its lease.
GRANT UPDATE (leased_until) ON timers TO {app};
