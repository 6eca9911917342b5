-- a group of a few buyers says little, and too much of each; where an order is on its way tells how old it is
select
    replace(replace(indicator, '_band', ''), '_', ' ') || ': ' || value as first_order,
    buyer_count,
    repeat_buyer_count,
    repeat_rate,
    lift
from marts.fct_repeat_indicators
where buyer_count >= 10 and value <> 'unknown' and indicator <> 'order_status'
order by repeat_rate desc nulls last, buyer_count desc, first_order
