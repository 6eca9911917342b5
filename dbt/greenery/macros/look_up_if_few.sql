{#
    The SQL of keys that a test asks for, as it was given. If they are few, the test's transaction
    reads no whole table from here on: of what is new Postgres knows how many rows it has, not of how
    few keys, and for as many keys as rows it would rather read the whole table.
#}
{% macro look_up_if_few(keys) -%}
    {%- if are_few(keys) -%}
        {% do run_query('set local enable_seqscan = off') %}
    {%- endif -%}
    {{ return(keys) }}
{%- endmacro %}
