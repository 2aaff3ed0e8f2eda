-- Until when somebody has asked to be asked nothing new; to a full hour, so that it tells of no case.
ALTER TABLE peer_load ADD COLUMN paused_until timestamptz;
