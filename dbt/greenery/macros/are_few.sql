{# Whether the SQL of a test's keys gives so few that to look them up beats reading the whole table. #}
{% macro are_few(keys) -%}
    {{ return(ask(
        'count(*) <= 100000 from (select distinct * from (' ~ keys ~ ') as keys limit 100001) as few'
    )) }}
{%- endmacro %}
