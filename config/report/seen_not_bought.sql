select
    coalesce(product_name, 'a product that is no longer listed') as product_name,
    viewed_session_count - purchased_session_count as not_bought_count,
    viewed_session_count,
    purchased_session_count,
    1 - conversion_rate as not_bought_rate
from marts.fct_product_conversion
where viewed_session_count > 0
order by not_bought_rate desc, viewed_session_count desc, product_name
