{#
    SQL of an expression that lets this transaction look up few rows by their keys: FEW_BY_KEYS of
    include/elt/warehouse/connection.py, which says why.
#}
{% macro few_by_keys() -%}
    concat(
        set_config('random_page_cost', '0.11', true),
        set_config('seq_page_cost', '0.1', true),
        set_config('enable_mergejoin', 'off', true)
    )
{%- endmacro %}
