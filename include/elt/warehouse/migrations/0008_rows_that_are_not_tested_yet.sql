-- Rows that changed since the last publication: the tests of the daily run read these alone.
set local role transformer;

create schema untested;
comment on schema untested is
    'Of each model that is built by its changes, the rows that changed since the last publication. '
    'The daily run''s tests read them here; no such table: they read the whole model.';
