select
    coalesce(product_name, 'a product that is no longer listed') as product_name,
    viewed_session_count,
    carted_session_count,
    purchased_session_count,
    conversion_rate
from marts.fct_product_conversion
order by conversion_rate desc nulls last, viewed_session_count desc, product_name
