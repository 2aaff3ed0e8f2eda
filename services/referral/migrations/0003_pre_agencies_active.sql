-- Of an agency that is not there any more nobody is asked. Every row so far is of one that is.
ALTER TABLE agencies ADD COLUMN active boolean NOT NULL DEFAULT true;
