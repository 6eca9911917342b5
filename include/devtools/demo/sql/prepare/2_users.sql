-- Everybody who will have an account by the last day, with the one move of house some make.
-- Times here and below are UTC without a zone, so that no setting of the server can shift them.
create temporary table demo_users on commit drop as

with

numbered as materialized (

    select
        number as user_number,
        pg_temp.made_id('user', cast(number as text)) as user_id,
        pg_temp.noise('user', cast(number as text)) as noise,
        -- null for those who were there when the shop's records begin
        case
            when number >= %(user_count)s
                then %(first_day)s - 1 + cast(
                    ceil(
                        1000 * (number - %(user_count)s + 1)
                        / (15 * cast(%(user_count)s as numeric))
                    ) as integer
                )
        end as signup_day

    from generate_series(0, pg_temp.users_before(%(last_day)s + 1) - 1) as number

),

dated as materialized (

    select
        *,
        case
            when signup_day is null
                then cast(%(first_day)s as timestamp)
                    - (1 + pg_temp.pick(noise, 0, 365 * 86400)) * interval '1 second'
            else signup_day + pg_temp.pick(noise, 0, 86400) * interval '1 second'
        end as created_at,
        case
            when pg_temp.share(noise, 1) < 0.2
                then coalesce(signup_day + 5, %(first_day)s)
                    + pg_temp.pick(noise, 2, 90) * interval '1 day'
                    + pg_temp.pick(noise, 3, 86400) * interval '1 second'
        end as moved_at

    from numbered

)

select
    user_number,
    user_id,
    noise,
    pg_temp.made_id('address', user_number || '/first') as first_address_id,
    case
        when moved_at is not null then pg_temp.made_id('address', user_number || '/second')
    end as second_address_id,
    -- a few never visit, some more visit and never buy
    pg_temp.share(noise, 4) as activity,
    pg_temp.share(noise, 5) < 0.06 as is_silent,
    pg_temp.share(noise, 6) < 0.92 as is_buyer,
    created_at,
    -- people from before the records also changed this and that in their profile
    case
        when signup_day is null
            then created_at
                + floor(
                    pg_temp.share(noise, 7)
                    * extract(epoch from cast(%(first_day)s as timestamp) - created_at)
                ) * interval '1 second'
        else created_at
    end as updated_at,
    moved_at

from dated;

create unique index on demo_users (user_number);
analyze demo_users;
