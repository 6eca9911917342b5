-- Each indicator splits the same buyers: one who fell out of a band would raise the others' rates.
with

indicators as (

    select
        indicator,
        sum(buyer_count) as buyer_count,
        sum(repeat_buyer_count) as repeat_buyer_count
    from {{ ref('fct_repeat_indicators') }}
    group by 1

),

buyers as (

    select
        count(*) as buyer_count,
        count(*) filter (where is_repeat_buyer) as repeat_buyer_count
    from {{ ref('fct_user_orders') }}

)

select
    indicators.*,
    buyers.buyer_count as all_buyer_count,
    buyers.repeat_buyer_count as all_repeat_buyer_count
from buyers
left join indicators on true
where
    coalesce(indicators.buyer_count, 0) <> buyers.buyer_count
    or coalesce(indicators.repeat_buyer_count, 0) <> buyers.repeat_buyer_count
