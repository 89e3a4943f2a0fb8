-- Where plugins come from, and whose word a space takes for them.

-- Where the component was pulled from, or which file it was: a registry's reference by digest, or a file's name. NULL for
-- what was uploaded or comes with the host.
ALTER TABLE plugins ADD COLUMN source TEXT;

-- Public keys, a JSON array: each plugin that enters the space is signed by one of them. Empty: none need be.
ALTER TABLE spaces ADD COLUMN plugin_keys TEXT NOT NULL DEFAULT '[]';
