-- Of what runs out (training or designation, whichever is first) somebody was last told, and how many days before.
ALTER TABLE people ADD COLUMN renewal_of date;
ALTER TABLE people ADD COLUMN renewal_days smallint;
