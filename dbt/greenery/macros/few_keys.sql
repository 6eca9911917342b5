{#
    SQL of keys that a test is to look up, from SQL that finds them: they are put into a temporary
    table first. Of what is new Postgres knows how many rows it has, not of how few keys; and for as
    many keys as rows it would rather read the whole table.
#}
{% macro few_keys(sql) -%}
    {%- set keys = 'untested_' ~ local_md5(sql) -%}
    {% do run_query(
        'create temporary table if not exists ' ~ keys ~ ' on commit drop as select distinct * from (' ~ sql
        ~ ') as keys; analyze ' ~ keys
    ) %}
    {{ return('select * from ' ~ keys) }}
{%- endmacro %}
