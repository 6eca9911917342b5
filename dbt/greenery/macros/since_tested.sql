{#
    What an SQL expression is, or none if it is null or if not all that was there before has passed
    the test that is compiled (is_tested_before). One question for both: most of what a test costs is
    its questions. Where the answer lets the test read what is new, it looks up few rows from here on.
#}
{% macro since_tested(expression) -%}
    {%- if not execute or target.name != 'prod' or env_var('GREENERY_TEST_EVERYTHING', '') -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set question -%}
        answer,
        case when answer is not null then {{ few_by_keys() }} end
        from (
            select (
                select case when status = 'pass' then {{ expression }} end
                from ops.node_result
                where unique_id = '{{ model.unique_id }}'
                order by moment desc
                limit 1
            ) as answer
        ) as tested
    {%- endset -%}
    {{ return(query_scalar(question)) }}
{%- endmacro %}
