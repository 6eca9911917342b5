{#
    The SQL of keys that a test asks for, as it was given. If they are few, the test's transaction
    looks them up from here on: of what is new Postgres knows how many rows it has, not of how few
    keys, and for as many keys as rows it would rather read the whole table. For more than these few
    it may do so.
#}
{% macro look_up_if_few(keys) -%}
    {% do run_query(
        "select set_config('enable_seqscan', 'off', true) from (select count(*) as key_count"
        ~ ' from (select distinct * from (' ~ keys ~ ') as keys limit 100001) as few) as counted'
        ~ ' where key_count <= 100000'
    ) %}
    {{ return(keys) }}
{%- endmacro %}
