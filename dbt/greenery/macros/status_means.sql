{#
    What a status of an order means, by the variable order_statuses: one of what is declared there of
    each, or `otherwise` of a status that is not declared.
#}
{% macro status_means(status_column, meaning, otherwise='null') -%}
    case {{ status_column }}
        {%- for status, means in var('order_statuses').items() %}
        when '{{ status }}' then {{ 'null' if means[meaning] is none else means[meaning] | string | lower }}
        {%- endfor %}
        else {{ otherwise | string | lower }}
    end
{%- endmacro %}
