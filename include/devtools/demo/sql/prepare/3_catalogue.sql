create temporary table demo_products on commit drop as

with

named as (

    select
        cast(place - 1 as integer) as product_number,
        product_name
    from unnest(array[
        'African Violet', 'Air Plant', 'Areca Palm', 'Asparagus Fern', 'Baby Rubber Plant',
        'Bonsai Juniper', 'Cast Iron Plant', 'Chinese Evergreen', 'Christmas Cactus', 'Coleus',
        'Croton', 'Dieffenbachia', 'Elephant Ear', 'English Ivy', 'Fittonia',
        'Haworthia', 'Hoya', 'Kalanchoe', 'Kentia Palm', 'Lady Palm',
        'Lavender', 'Lucky Bamboo', 'Maidenhair Fern', 'Olive Tree', 'Parlor Palm',
        'Polka Dot Plant', 'Prayer Plant', 'Staghorn Fern', 'Venus Flytrap', 'Yucca'
    ]) with ordinality as plants (product_name, place)

)

select
    product_number,
    product_name,
    pg_temp.made_id('product', cast(product_number as text)) as product_id,
    pg_temp.noise('product', cast(product_number as text)) as noise
from named;

-- One price per product and day: it holds for six weeks, each product changes on a day of its own.
create temporary table demo_prices on commit drop as

with

days as (

    select %(window_start)s + day_offset as price_date
    -- one day more: an order from just before midnight is dated after it
    from generate_series(0, %(last_day)s + 1 - %(window_start)s) as day_offset

),

bases as materialized (

    select
        *,
        12 + pg_temp.pick(noise, 0, 80)
            + (array[0, 0.25, 0.5, 0.95])[1 + pg_temp.pick(noise, 1, 4)] as base_price,
        pg_temp.pick(noise, 2, 42) as phase
    from demo_products

),

seasons as materialized (

    select
        bases.product_number,
        bases.base_price,
        days.price_date,
        pg_temp.noise(
            'price',
            bases.product_number || '/' || (days.price_date - %(first_day)s + bases.phase) / 42
        ) as noise
    from bases
    cross join days

)

select
    product_number,
    price_date,
    cast(round(base_price * (0.9 + 0.05 * pg_temp.pick(noise, 0, 5)), 2) as numeric(12, 2)) as price
from seasons;

create unique index on demo_prices (product_number, price_date);
analyze demo_prices;

create temporary table demo_promos (
    promo_number integer, promo_id text, discount integer
) on commit drop;

insert into demo_promos values
(0, 'Green Thumb', 5),
(1, 'repotting week', 8),
(2, 'leaf-day', 3),
(3, 'Sunny Sill', 12),
(4, 'first sprout', 10),
(5, 'Rainy Monday', 15);

-- every fortnight two of the six are on
create function pg_temp.is_on(promo_number integer, day date) returns boolean
language sql immutable parallel safe
return mod((day - %(first_day)s) / 14 + promo_number, 3) = 0;
