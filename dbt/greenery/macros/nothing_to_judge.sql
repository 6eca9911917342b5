{# The SQL of a test of usual numbers that has no whole day to judge yet: no row. #}
{% macro nothing_to_judge() -%}
    select
        cast(null as text) as sentence,
        cast(null as date) as judged_day,
        false as is_error
    where false
{%- endmacro %}
