select
    case step
        when 'page_view' then 'looked at a plant'
        when 'add_to_cart' then 'put one into the cart'
        when 'checkout' then 'ordered'
        else step
    end as step,
    session_count as visit_count,
    rate_of_first,
    rate_of_previous,
    lag(session_count) over (order by step_number) - session_count as lost_count
from marts.fct_product_funnel
order by step_number
