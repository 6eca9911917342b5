-- Chance without random(): the same seed and key give the same answer on every server and in every
-- call, so that a day's drop can be made alone, years later, and come out the same byte for byte.
-- md5 and sha256 are used because Postgres' own hash functions may change between versions.
create function pg_temp.made_id(kind text, key text) returns uuid
language sql immutable parallel safe
return cast(md5(%(seed)s || '/' || kind || '/' || key) as uuid);

-- 32 bytes, good for ten shares. A step that makes noise is materialized, or Postgres would fold it
-- into the next one and hash again for every share.
create function pg_temp.noise(kind text, key text) returns bytea
language sql immutable parallel safe
return sha256(cast(%(seed)s || '/' || kind || '/' || key as bytea));

-- a number from 0 to just under 1: the three bytes at a place
create function pg_temp.share(noise bytea, place integer) returns double precision
language sql immutable parallel safe
return (
    get_byte(noise, 3 * place) * 65536
    + get_byte(noise, 3 * place + 1) * 256
    + get_byte(noise, 3 * place + 2)
) / cast(16777216 as double precision);

-- a whole number from 0 to choices - 1
create function pg_temp.pick(noise bytea, place integer, choices integer) returns integer
language sql immutable parallel safe
return cast(floor(pg_temp.share(noise, place) * choices) as integer);

-- how many accounts there are when a day begins; every day 1.5 out of 100 of the first ones join
create function pg_temp.users_before(day date) returns integer
language sql immutable parallel safe
return cast(
    %(user_count)s + (cast(%(user_count)s as bigint) * 15 * (day - %(first_day)s)) / 1000 as integer
);

-- as the shop writes an instant
create function pg_temp.instant(moment timestamp) returns text
language sql stable parallel safe
return to_char(moment, 'YYYY-MM-DD"T"HH24:MI:SS"Z"');
