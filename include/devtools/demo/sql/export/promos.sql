select
    promo_id,
    discount,
    case when pg_temp.is_on(promo_number, %(day)s) then 'active' else 'inactive' end as status
from demo_promos
order by promo_number
