with

lists as (

    select
        array[
            'Acacia', 'Alder', 'Aster', 'Basil', 'Bryony', 'Cedar', 'Clover', 'Dahlia',
            'Fern', 'Ginger', 'Hazel', 'Heather', 'Iris', 'Ivy', 'Jasmine', 'Juniper',
            'Laurel', 'Lily', 'Linden', 'Maple', 'Myrtle', 'Olive', 'Poppy', 'Rowan',
            'Saffron', 'Sage', 'Sorrel', 'Tansy', 'Thyme', 'Willow'
        ] as first_names,
        array[
            'Barkley', 'Bloomfield', 'Budworth', 'Compost', 'Dewdrop', 'Evergreen',
            'Flowerpot', 'Frondly', 'Gardenia', 'Greenleaf', 'Hedgerow', 'Leafwright',
            'Mossman', 'Mulchester', 'Nettleton', 'Petalson', 'Pollen', 'Pottinger',
            'Rootham', 'Seedling', 'Shrubsole', 'Sproutley', 'Stemwell', 'Thornby',
            'Trowel', 'Twigg', 'Underwood', 'Vinecott', 'Weedon', 'Windowsill'
        ] as last_names

),

named as (

    select
        users.*,
        lists.first_names[1 + pg_temp.pick(users.noise, 8, 30)] as first_name,
        lists.last_names[1 + pg_temp.pick(users.noise, 9, 30)] as last_name
    from demo_users as users
    cross join lists
    where users.created_at < %(day)s + 1

)

select
    user_id,
    first_name,
    last_name,
    lower(first_name || '.' || last_name) || '.' || user_number || '@example.com' as email,
    -- 555-0100 to 555-0199 are kept for stories
    (200 + pg_temp.pick(uuid_send(user_id), 0, 800))
    || '-555-01' || lpad(cast(pg_temp.pick(uuid_send(user_id), 1, 100) as text), 2, '0')
        as phone_number,
    pg_temp.instant(created_at) as created_at,
    pg_temp.instant(
        case when moved_at < %(day)s + 1 then moved_at else updated_at end
    ) as updated_at,
    case when moved_at < %(day)s + 1 then second_address_id else first_address_id end as address_id
from named
order by user_number
