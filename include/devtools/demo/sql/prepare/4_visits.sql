create temporary table demo_sessions on commit drop as

with

days as (

    select
        %(window_start)s + day_offset as session_date,
        pg_temp.noise(
            'day', cast(%(window_start)s + day_offset - date '2000-01-01' as text)
        ) as noise
    from generate_series(0, %(last_day)s - %(window_start)s) as day_offset

),

sized as (

    select
        session_date,
        pg_temp.users_before(session_date) as users_before,
        -- busier at the weekend, and no day like another
        cast(
            ceil(
                %(sessions_per_day)s
                * (0.85 + 0.25 * pg_temp.share(noise, 0))
                * case when extract(isodow from session_date) >= 6 then 1.1 else 1 end
            ) as integer
        ) as session_count
    from days

),

numbered as (

    select
        sized.session_date,
        sized.users_before,
        (sized.session_date - date '2000-01-01') || '/' || number as session_key
    from sized
    cross join generate_series(1, sized.session_count) as number

),

drawn as materialized (

    select
        session_date,
        users_before,
        pg_temp.made_id('session', session_key) as session_id,
        pg_temp.noise('session', session_key) as noise
    from numbered

),

started as (

    select
        session_date,
        users_before,
        session_id,
        noise,
        -- the sum of two chances makes a peak; 17:00 is the busiest hour, 05:00 the quietest
        session_date + mod(
            18000
            + cast(floor((pg_temp.share(noise, 0) + pg_temp.share(noise, 1)) * 43200) as integer),
            86400
        ) * interval '1 second' as started_at,
        -- the youngest accounts visit, as many as there were at first: older ones drop out
        users_before - 1 - pg_temp.pick(noise, 2, %(user_count)s) as one_number,
        users_before - 1 - pg_temp.pick(noise, 3, %(user_count)s) as other_number
    from drawn

),

chosen as (

    select
        started.*,
        -- of two candidates the more active one comes: people differ in how often they visit
        case
            when other.is_silent or (one.activity >= other.activity and not one.is_silent)
                then one.user_number
            else other.user_number
        end as user_number
    from started
    inner join demo_users as one on started.one_number = one.user_number
    inner join demo_users as other on started.other_number = other.user_number

),

visited as materialized (

    select
        chosen.*,
        users.user_id,
        users.is_buyer and pg_temp.share(chosen.noise, 4) < 0.66 as is_converted,
        1 + cast(
            floor((pg_temp.share(chosen.noise, 5) + pg_temp.share(chosen.noise, 6)) * 3) as integer
        ) as view_count,
        -- one look at a product takes this long
        40 + pg_temp.pick(chosen.noise, 7, 50) as look_seconds,
        pg_temp.share(chosen.noise, 8) < 0.03 as is_late
    from chosen
    inner join demo_users as users on chosen.user_number = users.user_number
    -- neither of the two ever visits
    where not users.is_silent

)

select
    session_date,
    session_id,
    user_number,
    user_id,
    users_before,
    is_converted,
    is_late,
    view_count,
    look_seconds,
    -- a late visit was cut off: what follows this look reaches us a day later
    case
        when is_late then pg_temp.pick(uuid_send(session_id), 0, view_count)
        else view_count
    end as first_late_look,
    -- a buyer takes at least this one
    pg_temp.pick(uuid_send(session_id), 1, view_count) as favourite_look,
    -- squared: the first products of the list are seen more often
    cast(floor(pg_temp.share(noise, 9) * pg_temp.share(noise, 9) * 30) as integer) as first_product,
    -- no common divisor with 30 products, so a session never looks at the same one twice
    (array[1, 7, 11, 13, 17, 19, 23, 29])[1 + pg_temp.pick(uuid_send(session_id), 2, 8)] as stride,
    started_at,
    started_at + (
        view_count * look_seconds + pg_temp.pick(uuid_send(session_id), 3, 40)
    ) * interval '1 second' as checkout_at
from visited;

analyze demo_sessions;

-- One row per session and product looked at. The looks follow each other in slots of equal length,
-- so each one's time is known without the one before.
create temporary table demo_looks on commit drop as

with

looked as materialized (

    select
        sessions.*,
        look,
        mod(sessions.first_product + look * sessions.stride, 30) as product_number,
        look = sessions.favourite_look as is_favourite,
        pg_temp.made_id('view', sessions.session_id || '/' || look) as view_event_id,
        sessions.started_at + look * sessions.look_seconds * interval '1 second' as slot_at
    from demo_sessions as sessions
    cross join generate_series(0, sessions.view_count - 1) as look

),

chosen as (

    select
        *,
        uuid_send(view_event_id) as noise,
        -- within the first third of its slot; the first one starts the session
        case
            when look = 0 then slot_at
            else slot_at
                + pg_temp.pick(uuid_send(view_event_id), 0, look_seconds / 3) * interval '1 second'
        end as viewed_at,
        (is_converted and is_favourite)
        or pg_temp.share(uuid_send(view_event_id), 1) < case when is_converted then 0.5 else 0.3 end
            as is_carted
    from looked

),

carted as materialized (

    select
        *,
        case
            when is_carted
                then viewed_at
                    + (2 + pg_temp.pick(noise, 2, look_seconds / 2)) * interval '1 second'
        end as carted_at
    from chosen

)

select
    session_date,
    session_id,
    user_id,
    product_number,
    view_event_id,
    case
        when is_carted then pg_temp.made_id('cart', cast(view_event_id as text))
    end as cart_event_id,
    -- some of what is in the cart stays there
    case
        when is_converted and is_carted and (is_favourite or pg_temp.share(noise, 3) < 0.9)
            then 1 + cast(
                floor(pg_temp.share(noise, 4) * pg_temp.share(noise, 4) * 4) as integer
            )
    end as quantity,
    cast(viewed_at as date) + cast(look >= first_late_look as integer) as view_drop_date,
    cast(carted_at as date) + cast(look >= first_late_look as integer) as cart_drop_date,
    viewed_at,
    carted_at
from carted;

create index on demo_looks (session_date);
analyze demo_looks;
