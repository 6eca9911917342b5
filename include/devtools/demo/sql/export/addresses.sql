-- An address stays in the list when its user has moved: old orders went there.
with

lists as (

    select
        array[
            'Acorn', 'Beech', 'Bramble', 'Cherry', 'Chestnut', 'Daisy', 'Elder', 'Foxglove',
            'Garden', 'Hawthorn', 'Larch', 'Meadow', 'Orchard', 'Pine', 'Primrose', 'Rose',
            'Sycamore', 'Tulip'
        ] as streets,
        array['Street', 'Avenue', 'Lane', 'Road', 'Way', 'Court', 'Terrace', 'Alley'] as kinds,
        array[
            'Alabama', 'Arizona', 'California', 'Colorado', 'Connecticut', 'Florida', 'Georgia',
            'Illinois', 'Indiana', 'Iowa', 'Kansas', 'Kentucky', 'Louisiana', 'Maryland',
            'Massachusetts', 'Michigan', 'Minnesota', 'Missouri', 'Nevada', 'New Jersey',
            'New York', 'North Carolina', 'Ohio', 'Oklahoma', 'Oregon', 'Pennsylvania',
            'Tennessee', 'Texas', 'Utah', 'Virginia', 'Washington', 'Wisconsin'
        ] as states

),

known as (

    select
        user_number,
        1 as address_number,
        first_address_id as address_id
    from demo_users
    where created_at < %(day)s + 1

    union all

    select
        user_number,
        2 as address_number,
        second_address_id as address_id
    from demo_users
    where moved_at < %(day)s + 1

),

drawn as (

    select
        *,
        uuid_send(address_id) as noise
    from known

)

select
    drawn.address_id,
    (1 + pg_temp.pick(drawn.noise, 0, 9000))
    || ' ' || lists.streets[1 + pg_temp.pick(drawn.noise, 1, 18)]
    || ' ' || lists.kinds[1 + pg_temp.pick(drawn.noise, 2, 8)] as address,
    lpad(cast(501 + pg_temp.pick(drawn.noise, 3, 99000) as text), 5, '0') as zipcode,
    lists.states[1 + pg_temp.pick(drawn.noise, 4, 32)] as state,
    'United States' as country
from drawn
cross join lists
order by drawn.user_number, drawn.address_number
