-- Every name is tried again when a directory changes, whether it matched somebody before or not. The code that wrote
-- this column has stopped by now.
-- squawk-ignore ban-drop-column
ALTER TABLE requests DROP COLUMN unmatched;
