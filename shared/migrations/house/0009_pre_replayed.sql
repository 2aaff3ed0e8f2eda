-- A record that is replayed waits anew: of a type that this release does not know it is left to one that does.
GRANT UPDATE (parked_at) ON parked TO peerline_operator;
