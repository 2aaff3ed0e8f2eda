-- How a requester could be reached before they changed it, sealed under the case's key, in base64 with a space between
-- them: whoever has read it must not name it in a question for advice.
ALTER TABLE matters ADD COLUMN earlier text NOT NULL DEFAULT '';
