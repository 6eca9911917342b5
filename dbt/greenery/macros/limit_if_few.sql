{#
    The SQL of keys that a test asks for; if they are few, with their number. Of what is new Postgres
    knows how many rows it has, not of how few keys, and to find as many keys as rows it would rather
    read a whole table or a whole index. The number stands there as a limit, which cuts nothing off:
    models are built before their tests, and what is loaded in between is not published by this run.
#}
{% macro limit_if_few(keys) -%}
    {%- set distinct_keys -%} select distinct * from ({{ keys }}) as keys {%- endset -%}
    {%- set number -%} count(*) from ({{ distinct_keys }} limit 100001) as few {%- endset -%}
    {%- set count = query_scalar(number) -%}
    {%- if count <= 100000 -%} {{ distinct_keys }} limit {{ count }}
    {%- else -%} {{ keys }}
    {%- endif -%}
{%- endmacro %}
