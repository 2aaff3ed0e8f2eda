-- How the first contact was told of. The code that runs now knows nothing of it.
ALTER TABLE requests ADD COLUMN contact_how text;
ALTER TABLE requests ADD COLUMN contact_noted boolean;
GRANT UPDATE (contact_how, contact_noted) ON requests TO {app};
